package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// Userinfo tells a portal what its scopes allow of the patient (GET or POST;
// OpenID Connect Core §5.3). It writes every answer itself; an error is for the
// log, and was answered with 503.
func (p *Portals) Userinfo(w http.ResponseWriter, r *http.Request) error {
	return p.withToken(w, r, func(ctx context.Context, h holder) (any, error) {
		acc, err := p.admitted(ctx, h.portal, h.session.Account)
		if err != nil {
			return nil, err
		}
		return userinfo(h, acc), nil
	})
}

// SessionActive tells that the patient is active at a portal, which renews the
// idle limit (POST with an access token), and answers when the session ends.
func (p *Portals) SessionActive(w http.ResponseWriter, r *http.Request) error {
	return p.withToken(w, r, func(ctx context.Context, h holder) (any, error) {
		s, err := p.sessions.Renew(ctx, h.session)
		return struct {
			Ends     int64 `json:"session_ends"`
			IdleEnds int64 `json:"session_idle_ends"`
		}{s.Ends().Unix(), s.IdleEnds().Unix()}, err
	})
}

// withToken answers a request that carries a portal's access token.
func (p *Portals) withToken(w http.ResponseWriter, r *http.Request, answer func(context.Context, holder) (any, error)) error {
	raw, refused := presented(w, r)
	if refused != nil {
		p.note(r.Context(), "", refused.cause)
		return refused.write(w)
	}
	body, err := p.answerHolder(r.Context(), raw, answer)
	switch {
	case isBadToken(err), errors.Is(err, identity.ErrUnderAge):
		p.note(r.Context(), "", "token-refused")
		return badToken().write(w)
	case err != nil:
		return unavailable(w, err)
	}
	return writeJSON(w, http.StatusOK, body)
}

func (p *Portals) answerHolder(ctx context.Context, raw identity.Secret, answer func(context.Context, holder) (any, error)) (any, error) {
	h, err := p.holding(ctx, raw, p.isPortals)
	if err != nil {
		return nil, err
	}
	p.note(ctx, h.portal.ID, "")
	return answer(ctx, h)
}

// badToken is RFC 6750 §3.1, with one wording for every reason.
func badToken() *protocolError {
	return &protocolError{
		status: http.StatusUnauthorized, code: "invalid_token", detail: "the token is not good, or no longer",
		challenge: `Bearer error="invalid_token", error_description="the token is not good, or no longer"`,
	}
}

// presented returns the access token of a request: in the header, or in the form
// of a POST, not in both (RFC 6750 §2), and never in the query, which is logged on
// its way.
func presented(w http.ResponseWriter, r *http.Request) (identity.Secret, *protocolError) {
	raw, given := bearerOf(r.Header["Authorization"])
	inForm, refused := "", (*protocolError)(nil)
	if r.Method == http.MethodPost {
		inForm, refused = tokenInForm(w, r)
	}
	switch {
	case refused != nil:
	case given && inForm != "":
		refused = refuseForm("token-twice", "access_token: wanted it in the header or in the form, got both")
	case !given && inForm == "":
		return "", &protocolError{
			status: http.StatusUnauthorized, code: "invalid_token", detail: "an access token is needed", cause: "no-token",
			challenge: `Bearer realm="dilys"`,
		}
	case !given:
		raw = identity.Secret(inForm)
	}
	if refused != nil {
		refused.challenge = `Bearer error="invalid_request"`
	}
	return raw, refused
}

func tokenInForm(w http.ResponseWriter, r *http.Request) (string, *protocolError) {
	form, refused := readForm(w, r)
	if refused != nil {
		return "", refused
	}
	raw, err := once(form, "access_token")
	if err != nil {
		return "", refuseForm("parameter-repeated", err.Error())
	}
	return raw, nil
}

// claims is what userinfo says. What is not known is left out (OpenID Connect Core
// §5.3.2); the flags stand beside what they speak of.
type claims struct {
	Subject       string `json:"sub"`
	Name          string `json:"name,omitempty"`
	GivenName     string `json:"given_name,omitempty"`
	FamilyName    string `json:"family_name,omitempty"`
	BirthDate     string `json:"birthdate,omitempty"`
	Locale        string `json:"locale,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified *bool  `json:"email_verified,omitempty"`
	Phone         string `json:"phone_number,omitempty"`
	PhoneVerified *bool  `json:"phone_number_verified,omitempty"`
	NHSNumber     string `json:"nhs_number,omitempty"`
	Proofing      string `json:"identity_proofing_level,omitempty"`
}

// numberFrom is the level of a session from which its NHS number is told: below it nobody
// has matched the number to the person.
const numberFrom = identity.P5

// scopeClaims are what each scope allows (OpenID Connect Core §5.4).
var scopeClaims = map[string][]string{
	"profile":    {"name", "given_name", "family_name", "birthdate", "locale"},
	"email":      {"email", "email_verified"},
	"phone":      {"phone_number", "phone_number_verified"},
	"nhs_number": {"nhs_number", "identity_proofing_level"},
}

// userinfo chooses the claims that the token's scopes allow.
func userinfo(h holder, acc account.Account) claims {
	scopes, d := strings.Fields(h.claims.Scope), acc.Details()
	c := claims{Subject: h.claims.Subject}
	if slices.Contains(scopes, "profile") {
		c.GivenName, c.FamilyName, c.BirthDate = d.GivenName.Reveal(), d.FamilyName.Reveal(), d.BirthDate.Reveal()
		c.Name = strings.TrimSpace(c.GivenName + " " + c.FamilyName)
		c.Locale = acc.Language
	}
	if slices.Contains(scopes, "email") && !d.Email.IsZero() {
		c.Email, c.EmailVerified = d.Email.Reveal(), &d.EmailVerified
	}
	if slices.Contains(scopes, "phone") && !d.Phone.IsZero() {
		c.Phone, c.PhoneVerified = d.Phone.Reveal(), &d.PhoneVerified
	}
	if slices.Contains(scopes, "nhs_number") && h.session.Trust.P >= numberFrom {
		c.NHSNumber, c.Proofing = d.NHSNumber.Reveal(), h.session.Level.String()
	}
	return c
}
