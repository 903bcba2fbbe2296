package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Addresses and names of the service's public contract; the bare programs keep
// them too, so that one driver serves both.
const (
	loginPath     = "/login"
	startPath     = "/login/nhs-login"
	callbackPath  = "/login/nhs-login/callback"
	sessionCookie = "dilys"
	patient       = "mair-prawf" // made up, proved, of age
)

// browser is a patient's: a cookie jar, and no redirect followed by itself.
type browser struct {
	base   *url.URL
	client *http.Client
	from   string // the network that it comes from, as the proxy says; may be empty
}

// roads are shared, as a browser keeps its connections between two patients.
var roads = &http.Transport{MaxIdleConnsPerHost: 16}

func newBrowser(base string) (*browser, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	return &browser{base: u, client: &http.Client{
		Jar: jar, Transport: roads, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, err
}

// login logs the made-up patient in from the first page to the session cookie, as
// a browser does, and returns the cookie's value.
func login(ctx context.Context, base string) (string, error) {
	b, err := newBrowser(base)
	if err != nil {
		return "", err
	}
	return b.login(ctx)
}

func (b *browser) login(ctx context.Context) (string, error) {
	if _, err := b.ask(ctx, http.MethodGet, b.at(loginPath), http.StatusOK); err != nil {
		return "", err
	}
	leave, err := b.ask(ctx, http.MethodPost, b.at(startPath), http.StatusSeeOther)
	if err != nil {
		return "", err
	}
	back, err := b.ask(ctx, http.MethodGet, leave+"&login_hint="+patient, 0)
	if err != nil {
		return "", err
	}
	if _, err := b.ask(ctx, http.MethodGet, back, http.StatusSeeOther); err != nil {
		return "", err
	}
	for _, c := range b.client.Jar.Cookies(b.base) {
		if c.Name == sessionCookie {
			return c.Value, nil
		}
	}
	return "", errors.New("login: wanted a session cookie, got none")
}

func (b *browser) at(path string) string { return b.base.JoinPath(path).String() }

// ask sends a request and returns where the answer leads, if anywhere. A wanted
// status of 0 is any redirect.
func (b *browser) ask(ctx context.Context, method, address string, want int) (string, error) {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("device=mine")
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Accept-Language", "en-GB,en;q=0.5")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.base.String())
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	location := answer.Header.Get("Location")
	if answer.StatusCode != want && (want != 0 || location == "") {
		return "", fmt.Errorf("%s %s: wanted status %d, got %d", method, r.URL.Path, want, answer.StatusCode)
	}
	return location, err
}
