package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
)

// The scopes that a portal may be allowed. Others that it asks for are ignored
// (OpenID Connect Core §3.1.2.1).
var scopesSupported = []string{"openid", "profile", "email", "phone", "nhs_number", offlineAccess}

// offlineAccess asks for a refresh token (OpenID Connect Core §11). What a portal may be
// given is settled with its operator, so that prompt=consent need not be asked.
const offlineAccess = "offline_access"

// The longest values that are carried, in bytes.
const (
	maxState  = 2048
	maxNonce  = 512
	maxList   = 1024 // scope, prompt, acr_values, ui_locales
	maxMaxAge = 9    // digits of a max_age: thirty years of seconds
)

// authorizeParams are the parameters that are read, but for client_id,
// redirect_uri and state, which are read before them.
var authorizeParams = []string{
	"response_type", "response_mode", "scope", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age",
	"acr_values", "vtr", "ui_locales", "idp_hint", "id_token_hint", "request", "request_uri",
}

func invalid(cause, description string) *fault { return &fault{"invalid_request", description, cause} }

// readAsking reads the request of a known portal for a known address. The fault,
// if there is one, goes back there: so the asking returned with it always has
// address and state.
func (p *Portals) readAsking(ctx context.Context, portal *Portal, redirectURI string, params url.Values) (asking, *fault) {
	a := asking{Request: grant.Request{
		Portal: portal.ID, RedirectURI: redirectURI, Provider: portal.Provider, Created: instant(p.now()),
	}}
	state, err := once(params, "state")
	if err != nil || len(state) > maxState {
		return a, invalid("bad-state", fmt.Sprintf("state: wanted it once, in at most %d bytes", maxState))
	}
	a.State = state
	values, err := readOnce(params, authorizeParams...)
	if err != nil {
		return a, invalid("parameter-repeated", err.Error())
	}
	for _, read := range []func(*Portal, map[string]string, *asking) *fault{
		readKind, readScope, readNonce, readPKCE, readPrompt, readMaxAge, readTrust,
	} {
		if f := read(portal, values, &a); f != nil {
			return a, f
		}
	}
	a.Languages = p.spoken(values["ui_locales"])
	if slices.Contains(p.providers, values["idp_hint"]) {
		a.Provider = values["idp_hint"]
	}
	return a, p.readHint(ctx, portal, values["id_token_hint"], &a)
}

// readKind admits the code flow and nothing else; no request objects, whose
// fetching is a way to make a server call where it should not.
func readKind(_ *Portal, values map[string]string, _ *asking) *fault {
	switch {
	case values["request"] != "":
		return &fault{"request_not_supported", "request objects are not supported", "request-object"}
	case values["request_uri"] != "":
		return &fault{"request_uri_not_supported", "request_uri is not supported", "request-uri"}
	case values["response_type"] == "":
		return invalid("no-response-type", "response_type: wanted code, got none")
	case values["response_type"] != "code":
		return &fault{"unsupported_response_type", "response_type: wanted code", "response-type"}
	case values["response_mode"] != "" && values["response_mode"] != "query":
		return invalid("response-mode", "response_mode: wanted query or none")
	}
	return nil
}

func readScope(portal *Portal, values map[string]string, a *asking) *fault {
	bad := func(cause, description string) *fault { return &fault{"invalid_scope", description, cause} }
	if len(values["scope"]) > maxList {
		return bad("scope-too-long", fmt.Sprintf("scope: wanted at most %d bytes", maxList))
	}
	for _, s := range strings.Fields(values["scope"]) {
		switch {
		case !slices.Contains(scopesSupported, s), slices.Contains(a.Scopes, s):
		case s == offlineAccess && !slices.Contains(portal.Scopes, s): // ignored, as many clients always ask (OpenID Connect Core §11)
		case !slices.Contains(portal.Scopes, s):
			return bad("scope-not-allowed", "scope: wanted one that this portal is allowed, got "+s)
		default:
			a.Scopes = append(a.Scopes, s)
		}
	}
	if !slices.Contains(a.Scopes, "openid") {
		return bad("scope-without-openid", "scope: wanted openid among them")
	}
	return nil
}

func readNonce(_ *Portal, values map[string]string, a *asking) *fault {
	if a.Nonce = values["nonce"]; len(a.Nonce) > maxNonce {
		return invalid("nonce-too-long", fmt.Sprintf("nonce: wanted at most %d bytes", maxNonce))
	}
	return nil
}

// readPKCE takes S256 alone (RFC 7636 §4.2): whoever sees the request learns the
// verifier of `plain`, which is also what an absent method means.
func readPKCE(portal *Portal, values map[string]string, a *asking) *fault {
	challenge, method := values["code_challenge"], values["code_challenge_method"]
	switch {
	case challenge == "" && method == "" && !portal.pkceRequired():
		return nil
	case challenge == "":
		return invalid("no-code-challenge", "code_challenge: wanted one by S256, got none")
	case method != "S256":
		return invalid("code-challenge-method", "code_challenge_method: wanted S256")
	case !identity.Secret(challenge).IsToken(): // the SHA-256 of the verifier has the shape of our tokens
		return invalid("code-challenge", "code_challenge: wanted 43 characters of base64url")
	}
	a.CodeChallenge = challenge
	return nil
}

// readPrompt reads what may be shown. Consent is not asked for here (what a portal
// may learn is settled with its operator), so prompt=consent asks for nothing;
// another account can only be chosen by a login of one's own.
func readPrompt(_ *Portal, values map[string]string, a *asking) *fault {
	if len(values["prompt"]) > maxList {
		return invalid("prompt-too-long", "prompt: wanted none, login, select_account or consent")
	}
	prompts := strings.Fields(values["prompt"])
	for _, prompt := range prompts {
		switch prompt {
		case "none":
			a.silent = true
		case "login", "select_account":
			a.Login = true
		case "consent":
		default:
			return invalid("prompt-unknown", "prompt: wanted none, login, select_account or consent")
		}
	}
	if a.silent && len(prompts) > 1 {
		return invalid("prompt-none-with-others", "prompt: wanted none alone, got more")
	}
	return nil
}

func readMaxAge(_ *Portal, values map[string]string, a *asking) *fault {
	text := values["max_age"]
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err != nil || len(text) > maxMaxAge {
		return invalid("bad-max-age", "max_age: wanted whole seconds, 0 or more")
	}
	a.MaxAge, a.HasMaxAge = min(time.Duration(seconds)*time.Second, longestAge), true
	return nil
}

// longestAge is more than any session lasts; a longer max_age asks for no less.
const longestAge = 365 * 24 * time.Hour

// readTrust reads the vectors asked for. They are asked for beside the portal's
// floor and never in its place, so a request may ask for more and never for less.
// Values of acr_values that are no vectors are ignored: it is a voluntary claim (OpenID
// Connect Core §3.1.2.1). vtr (RFC 8485 §4.1) says nothing but vectors, so there they
// are a fault.
func readTrust(_ *Portal, values map[string]string, a *asking) *fault {
	switch {
	case len(values["acr_values"]) > maxList || len(values["vtr"]) > maxList:
		return invalid("trust-too-long", fmt.Sprintf("acr_values, vtr: wanted at most %d bytes", maxList))
	case values["acr_values"] != "" && values["vtr"] != "":
		return invalid("trust-twice", "vtr: wanted it or acr_values, got both")
	case values["vtr"] != "":
		return readVTR(values["vtr"], a)
	}
	for _, text := range strings.Fields(values["acr_values"]) {
		if v, err := identity.ParseTrust(text); err == nil {
			a.ask(v)
		}
	}
	return nil
}

// readVTR reads a JSON list of vectors, any of which is enough.
func readVTR(text string, a *asking) *fault {
	bad := invalid("bad-vtr", "vtr: wanted a JSON list of vectors of trust, such as [P9.Cp.Cd] with its quotation marks")
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) == 0 {
		return bad
	}
	for _, one := range list {
		v, err := identity.ParseTrust(one)
		if err != nil {
			return bad
		}
		a.ask(v)
	}
	return nil
}

// ask adds a vector to those that are enough.
func (a *asking) ask(v identity.Trust) {
	if !slices.Contains(a.Asked, v) {
		a.Asked = append(a.Asked, v)
	}
}

// readHint gives the request its id, bound to the subject of id_token_hint if
// there is one. A hint made for another portal is refused: it would tell this one
// whether the two have the same patient.
func (p *Portals) readHint(ctx context.Context, portal *Portal, raw string, a *asking) *fault {
	a.ID = newRequestID("")
	if raw == "" {
		return nil
	}
	hint, err := p.verifier.IDTokenHint(ctx, raw)
	if err != nil || hint.Audience != portal.ID {
		return invalid("bad-id-token-hint", "id_token_hint: wanted an ID token that was issued here to this portal")
	}
	a.ID = newRequestID(hint.Subject)
	return nil
}

// spoken returns the languages of ui_locales (RFC 5646 tags, by preference) that
// we speak.
func (p *Portals) spoken(locales string) []string {
	if len(locales) > maxList { // a wish, not a demand
		return nil
	}
	var spoken []string
	for _, tag := range strings.Fields(strings.ToLower(locales)) {
		base, _, _ := strings.Cut(tag, "-")
		if slices.Contains(p.languages, base) && !slices.Contains(spoken, base) {
			spoken = append(spoken, base)
		}
	}
	return spoken
}

// A request that only one patient may answer carries a digest of their subject in its
// id, so that no later login can answer it as somebody else. The digest tells nobody the
// subject, and an altered id is the id of no request.
const (
	boundMark    = "~"
	boundBytes   = 16
	maxRequestID = 64
)

func newRequestID(subject string) string { return bindTo(identity.NewID(), subject) }

func bindTo(id, subject string) string {
	if subject == "" {
		return id
	}
	sum := sha256.Sum256([]byte(id + boundMark + subject))
	return id + boundMark + base64.RawURLEncoding.EncodeToString(sum[:boundBytes])
}

func isBound(requestID string) bool { return strings.Contains(requestID, boundMark) }

// answerableBy reports whether the patient whom the portal knows by that subject may
// answer the request.
func answerableBy(requestID, subject string) bool {
	id, _, bound := strings.Cut(requestID, boundMark)
	return !bound || bindTo(id, subject) == requestID
}

// unmet is the error for a level that can't be met (OpenID Connect Core Unmet
// Authentication Requirements 1.0).
const unmet = "unmet_authentication_requirements"

// standing is how a session stands to a request.
type standing uint8

const (
	enough      standing = iota
	nobody               // there is no session
	someoneElse          // it is not the patient whom the hint names
	stale                // not proved as freshly as asked
	low                  // not proved as strongly as asked
)

// fault is what a portal is told of a standing that may not or could not be
// mended.
func (s standing) fault() *fault {
	switch s {
	case someoneElse:
		return &fault{"login_required", "another patient is logged in than the one of id_token_hint", "other-person"}
	case stale:
		return &fault{"login_required", "a fresher login is needed", "login-not-fresh"}
	case low:
		return &fault{unmet, "the trust asked for was not reached", "level-unmet"}
	}
	return &fault{"login_required", "nobody is logged in", "not-logged-in"}
}

// standing judges a live session, or none, for the request as it is now.
func (p *Portals) standing(portal *Portal, a asking, s *session.Session) standing {
	switch {
	case s == nil:
		return nobody
	case !answerableBy(a.ID, p.subject(portal, *s)):
		return someoneElse
	case !a.reached(portal, s.Trust):
		return low
	case !a.freshIn(s.Assessment, p.now()):
		return stale
	}
	return enough
}

// reached reports whether that vector is strong enough for the request.
func (a asking) reached(portal *Portal, t identity.Trust) bool {
	return t.SatisfiesAny(portal.Trust) && (len(a.Asked) == 0 || t.SatisfiesAny(a.Asked))
}

// freshIn reports whether the patient proved themselves as freshly as asked. The
// login that a waiting request led to is fresh enough for it, whatever the seconds
// it took; what was proved before the request came never answers prompt=login.
func (a asking) freshIn(s identity.Assessment, now time.Time) bool {
	since := a.resumed && s.Since(a.Created)
	switch {
	case a.Login:
		return since
	case a.HasMaxAge:
		return since || s.Fresh(a.MaxAge, now)
	}
	return true
}

// loggedInSince reports whether a login gave or raised the session after that
// instant.
func loggedInSince(s *session.Session, at time.Time) bool {
	return s != nil && !s.Evidence.At().Before(at)
}

// instant is a time as databases keep it.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
