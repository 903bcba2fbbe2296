package exampleportal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/dilys-id/dilys/identity"
	"golang.org/x/oauth2"
)

// waiting is one login between its start and its callback.
type waiting struct {
	ask      ask
	at       time.Time
	browser  identity.Secret // of the cookie: no other browser may bring the answer
	nonce    identity.Secret // ties the ID token to this login
	verifier identity.Secret // ties the code to this login (RFC 7636)
}

// waitingLife is how long a login may take: proving an identity for the first time
// takes a while. maxWaiting bounds the memory that visitors can fill.
const (
	waitingLife = 2 * time.Hour
	maxWaiting  = 10_000
)

// login sends the browser to Dilys with values that are fresh for each login, so
// that two tabs do not disturb each other.
func (p *Portal) login(w http.ResponseWriter, r *http.Request) error {
	a, ok := askNamed(r.URL.Query().Get("ask"))
	if !ok {
		return notFound
	}
	op, err := p.dilys.find(r.Context())
	if err != nil {
		return err
	}
	state, now := identity.NewToken(), p.opt.Now()
	wait := waiting{
		ask: a, at: now, browser: p.browser(w, r),
		nonce: identity.NewToken(), verifier: identity.Secret(oauth2.GenerateVerifier()),
	}
	p.waiting.put(state, wait, now.Add(waitingLife), now)
	params := append(a.params(), oidc.Nonce(wait.nonce.Reveal()), oauth2.S256ChallengeOption(wait.verifier.Reveal()))
	http.Redirect(w, r, op.oauth.AuthCodeURL(state.Reveal(), params...), http.StatusSeeOther)
	return nil
}

// callback takes the answer: an error that is told by its code, or a code that is
// exchanged for tokens. Nothing is done for an answer that this browser did not
// ask for (login CSRF, RFC 9700 §4.7).
func (p *Portal) callback(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	wait, ok := p.waiting.take(identity.Secret(only(q, "state")), p.opt.Now())
	if !ok || !wait.browser.Equal(p.cookie(r, loginCookie)) {
		return tooLate
	}
	op, err := p.dilys.find(r.Context())
	if err != nil {
		return err
	}
	// Another provider's answer would carry the code to the wrong place (mix-up,
	// RFC 9207 §2.4).
	if (op.tellsIss || q.Has("iss")) && only(q, "iss") != p.opt.Issuer {
		return fmt.Errorf("%w: iss of the answer: wanted the issuer, got something else", wrongAnswer)
	}
	if q.Has("error") {
		return p.refused(w, r, wait.ask, only(q, "error"))
	}
	s, err := p.learn(p.dilys.calling(r.Context()), op, wait, only(q, "code"))
	if err != nil {
		return err
	}
	p.open(w, r, s)
	// Away from the address that holds the code.
	http.Redirect(w, r, "/learned", http.StatusSeeOther)
	return nil
}

// refused tells an error of Dilys. Who turns out to be logged out there is logged
// out here too: a portal's own cookie never outlives what it stands on.
func (p *Portal) refused(w http.ResponseWriter, r *http.Request, a ask, code string) error {
	if a.prompt == "none" && code == "login_required" {
		p.close(w, r)
	}
	return faultOf(code)
}

// learn exchanges the code and believes nothing that it has not verified.
func (p *Portal) learn(ctx context.Context, op *provider, wait waiting, code string) (session, error) {
	tokens, err := op.oauth.Exchange(ctx, code, oauth2.VerifierOption(wait.verifier.Reveal()))
	if err != nil {
		return session{}, exchangeFault(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	idToken, err := op.verifier.Verify(ctx, raw) // signature, alg, iss, aud, exp
	if err != nil {
		return session{}, fmt.Errorf("%w: ID token: %w", wrongAnswer, err)
	}
	s := session{idToken: identity.Secret(raw), access: readUnverified(tokens.AccessToken)}
	if err := p.judge(idToken, tokens, wait, &s); err != nil {
		return session{}, err
	}
	info, err := op.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return session{}, fmt.Errorf("%w: userinfo: %w", dilysAway, sayable(err))
	}
	// Userinfo is believed for the person of the ID token alone (Core §5.3.2).
	if info.Subject != idToken.Subject {
		return session{}, fmt.Errorf("%w: userinfo: wanted the subject of the ID token, got another", wrongAnswer)
	}
	return s, info.Claims(&s.userInfo)
}

// judge makes the checks that the library leaves to us, and fills in what the ID
// token says.
func (p *Portal) judge(idToken *oidc.IDToken, tokens *oauth2.Token, wait waiting, s *session) error {
	if !wait.nonce.Equal(identity.Secret(idToken.Nonce)) {
		return fmt.Errorf("%w: nonce: wanted the one of this login, got another", wrongAnswer)
	}
	if len(idToken.Audience) != 1 { // we trust nobody else with a token of ours (Core §3.1.3.7, step 3)
		return fmt.Errorf("%w: aud: wanted this portal alone, got %d", wrongAnswer, len(idToken.Audience))
	}
	if idToken.AccessTokenHash != "" && idToken.VerifyAccessToken(tokens.AccessToken) != nil {
		return fmt.Errorf("%w: at_hash: wanted the one of the access token, got another", wrongAnswer)
	}
	var how proof
	if err := errors.Join(idToken.Claims(&how), idToken.Claims(&s.claims)); err != nil {
		return fmt.Errorf("%w: ID token: %w", wrongAnswer, err)
	}
	now := p.opt.Now()
	if err := wait.ask.judge(p.opt.Trust, how, wait.at, now); err != nil {
		return fmt.Errorf("%w: %w", tooLittle, err)
	}
	s.subject, s.ends = idToken.Subject, s.claims.end(now)
	return nil
}

// only returns a parameter that is there once. A second one is somebody's attempt
// to have two readers read two things.
func only(q url.Values, name string) string {
	if len(q[name]) != 1 {
		return ""
	}
	return q.Get(name)
}

// exchangeFault tells why no tokens came.
func exchangeFault(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode != "" {
		return faultOf(refused.ErrorCode)
	}
	return fmt.Errorf("%w: token endpoint: %w", dilysAway, sayable(err))
}

// sayable returns what of a failed call may stand in a log. The libraries put the
// answer's body into their errors, and a body may hold anything.
func sayable(err error) error {
	var network *url.Error
	if errors.As(err, &network) {
		return network.Err
	}
	return errors.New("wanted an answer as the standard says, got another")
}

// claims are a token's claims or userinfo as they came.
type claims map[string]json.RawMessage

// defaultLife is how long a login serves at a provider that doesn't say.
const defaultLife = 30 * time.Minute

// end is when the session here has to be over: as soon as the one at Dilys would
// be idle for too long, and never later than that ends. Until then, asking with
// prompt=none learns of a later end.
func (c claims) end(now time.Time) time.Time {
	var soonest time.Time
	for _, name := range []string{"session_idle_ends", "session_ends"} {
		if t, ok := instant(c[name]); ok && (soonest.IsZero() || t.Before(soonest)) {
			soonest = t
		}
	}
	if soonest.IsZero() {
		return now.Add(defaultLife)
	}
	return soonest
}
