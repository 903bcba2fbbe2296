package benchmark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sync"

	"github.com/dilys-id/dilys/rp/passkey/softkey"
)

// Where a passkey is made, and where it logs in; the bare program keeps them too.
const (
	makePath = "/account/passkeys"
	givePath = "/login/passkey"
)

const (
	passkeyRounds = 7
	passkeyWarm   = 40
	passkeyTimes  = 240
)

// passkey measures a log-in by passkey beside the least code that verifies one, and
// beside the signature alone.
func (w *world) passkey(ctx context.Context) ([]row, error) {
	w.host = "localhost" // a passkey needs a name
	s, err := w.openSignUp()
	if err != nil {
		return nil, err
	}
	ours, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	patient, err := w.signUp(ctx, s, 0)
	if err != nil {
		return nil, fmt.Errorf("patient: %w\n%.2000s", err, ours.said())
	}
	bare, err := w.serveBare(ctx, "bare-passkey", w.file("bare.db"))
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	stranger, err := newBrowser(w.bareURL())
	if err != nil {
		return nil, err
	}
	here, err := patient.bring(ctx)
	if err != nil {
		return nil, err
	}
	there, err := stranger.bring(ctx)
	if err != nil {
		return nil, err
	}
	pairs, err := duel(contender{ours, here.logins(ctx, w.dilysURL())}, contender{bare, there.logins(ctx, w.bareURL())},
		passkeyRounds, passkeyWarm, passkeyTimes)
	if err != nil {
		return nil, err
	}
	signature, err := signatures(passkeyTimes * passkeyRounds)
	for i := range pairs {
		pairs[i][0], pairs[i][1] = pairs[i][0]/1000, pairs[i][1]/1000
	}
	return []row{
		besides("a log-in by passkey, CPU, beside the least code", "ms", pairs, 4),
		alone("of it, the signature (raw ES256 verification)", "µs", signature, 200),
	}, err
}

// device is a software authenticator that several log in with at once.
type device struct {
	softkey.Authenticator
	mu sync.Mutex
}

// asked matches what a page asks a device with.
var asked = regexp.MustCompile(`data-passkey="(?:get|make)" data-options="([^"]*)" data-action="[^"]*" data-along="([^"]*)"`)

// ceremony reads the page at that path, lets the device answer, and posts the answer.
func (b *browser) ceremony(ctx context.Context, page, post string, want int, answer func(options, origin string) (string, error)) error {
	text, err := b.read(ctx, page)
	if err != nil {
		return err
	}
	found := asked.FindStringSubmatch(text)
	if found == nil {
		return fmt.Errorf("%s: wanted a page that asks for a passkey, got none", page)
	}
	var along map[string]string
	if err := json.Unmarshal([]byte(html.UnescapeString(found[2])), &along); err != nil {
		return err
	}
	form := url.Values{}
	for name, value := range along {
		form.Set(name, value)
	}
	credential, err := answer(html.UnescapeString(found[1]), b.base.String())
	if err != nil {
		return err
	}
	form.Set("credential", credential)
	status, _, err := b.post(ctx, post, form)
	if err == nil && status != want {
		err = fmt.Errorf("%s: wanted status %d, got %d", post, want, status)
	}
	return err
}

// read returns a page.
func (b *browser) read(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.at(path), nil)
	if err != nil {
		return "", err
	}
	if b.from != "" {
		r.Header.Set("X-Forwarded-For", b.from)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(answer.Body)
	return string(text), errors.Join(err, answer.Body.Close())
}

// bring makes a passkey for whom the browser is logged in as.
func (b *browser) bring(ctx context.Context) (*device, error) {
	d := new(device)
	return d, b.ceremony(ctx, makePath, makePath, http.StatusOK, func(options, origin string) (string, error) { return d.Make(options, origin) })
}

// logins logs in with the device at that address, in browsers that come back: each
// keeps its cookies but for the session's.
func (d *device) logins(ctx context.Context, base string) func(int) error {
	browsers := make(chan *browser, crowd)
	return func(times int) error {
		for i := range crowd - len(browsers) {
			b, err := elsewhere(base, i)
			if err != nil {
				return err
			}
			browsers <- b
		}
		return atOnce(ctx, times, func(ctx context.Context) error {
			b := <-browsers
			defer func() { browsers <- b }()
			b.client.Jar.SetCookies(b.base, []*http.Cookie{{Name: sessionCookie, Path: "/", MaxAge: -1}})
			return b.ceremony(ctx, loginPath, givePath, http.StatusSeeOther, func(options, origin string) (string, error) {
				d.mu.Lock()
				defer d.mu.Unlock()
				return d.Give(options, origin)
			})
		})
	}
}
