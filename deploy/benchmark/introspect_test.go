package benchmark

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
)

const (
	portalID    = "my-health"
	portalURI   = "http://127.0.0.1:9/callback"
	codeProof   = "a-code-verifier-of-the-benchmark-0123456789" // RFC 7636 §4.1
	introspects = "/introspect"
)

// introspect measures introspection of a token that was seen before, beside a handler
// that knows the token by heart and does the one read of the store that tells whether its
// session lives.
func (w *world) introspect(ctx context.Context) ([]row, error) {
	ours, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	b, err := newBrowser(w.dilysURL())
	if err != nil {
		return nil, err
	}
	if _, err := b.login(ctx); err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(w.file("portal.secret"))
	if err != nil {
		return nil, err
	}
	raw, err := b.accessToken(ctx, strings.TrimSpace(string(secret)))
	if err != nil {
		return nil, err
	}
	bare, err := w.serveBare(ctx, "bare-introspect", w.file("dilys.db"))
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	asking := func(port int) func(int) error {
		return func(times int) error {
			return ask(ctx, loopback(port), introspection(loopback(port), strings.TrimSpace(string(secret)), raw), times)
		}
	}
	pairs, err := duel(contender{ours, asking(w.dilys)}, contender{bare, asking(w.bare)}, checkRounds, checkWarm, checkTimes)
	return []row{besides("introspection, token seen before, CPU, beside one read", "µs", pairs, 1.5)}, err
}

// introspection is what an API's server asks of a token.
func introspection(host, secret, raw string) string {
	form := url.Values{"token": {raw}}.Encode()
	return strings.Join([]string{
		"POST " + introspects + " HTTP/1.1", "Host: " + host, "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(portalID+":"+url.QueryEscape(secret))),
		"Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(form)), "Accept: application/json", "", form,
	}, "\r\n")
}

// accessToken has the portal ask for a code in that browser, and trade it.
func (b *browser) accessToken(ctx context.Context, secret string) (string, error) {
	challenge := sha256.Sum256([]byte(codeProof))
	back, err := b.ask(ctx, http.MethodGet, b.at("/authorize")+"?"+url.Values{
		"client_id": {portalID}, "redirect_uri": {portalURI}, "response_type": {"code"}, "scope": {"openid profile"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode(), http.StatusSeeOther)
	if err != nil {
		return "", err
	}
	at, err := url.Parse(back)
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {portalURI}, "code_verifier": {codeProof}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.at("/token"), strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(portalID, url.QueryEscape(secret))
	answer, err := b.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	var given struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&given); err != nil || given.AccessToken == "" {
		return "", errors.Join(errors.New("token: wanted an access token, got none"), err)
	}
	return given.AccessToken, nil
}

// bareIntrospect is the least that could answer: who asks, the token by heart, and the
// one read that tells whether its session lives, on the service's own file.
func bareIntrospect(ctx context.Context) error {
	db, err := openToRead()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	read, err := db.PrepareContext(ctx, `SELECT s.body, s.seen, s.ended, a.state, a.epoch, c.revoked
		FROM codes c JOIN sessions s ON s.handle = c.session JOIN accounts a ON a.id = s.account WHERE c.grant_id = $1`)
	if err != nil {
		return err
	}
	var known sync.Map // token to grant
	return answer(ctx, func(w http.ResponseWriter, r *http.Request) error {
		id, secret, ok := r.BasicAuth()
		if !ok || subtle.ConstantTimeCompare([]byte(id), []byte(portalID)) != 1 || secret == "" {
			return errors.New("wanted the portal")
		}
		if err := r.ParseForm(); err != nil {
			return err
		}
		raw := r.PostForm.Get("token")
		grant, seen := known.Load(raw)
		if !seen {
			var err error
			if grant, err = grantIn(raw); err != nil {
				return err
			}
			known.Store(raw, grant)
		}
		var body []byte
		var state string
		var last, ended, epoch, revoked int64
		if err := read.QueryRowContext(r.Context(), grant).Scan(&body, &last, &ended, &state, &epoch, &revoked); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"active":true}`)
		return err
	}, introspects)
}

// grantIn reads the grant from the token's jti.
func grantIn(raw string) (string, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "", errors.New("token: wanted three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var c struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", err
	}
	grant, _, _ := strings.Cut(c.ID, ".")
	return grant, nil
}
