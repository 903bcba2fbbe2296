package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Callback is what the browser brought back, as it came. Nothing of it is shown or
// logged.
type Callback struct {
	Code        identity.Secret
	Error       string
	Description string // error_description
	Issuer      string // iss (RFC 9207)
	HasIssuer   bool   // iss was there, if only empty
}

// maxCode is more than any authorization code.
const maxCode = 4096

// Finish judges what a patient came back with, by the challenge of the attempt
// that the caller has just spent. The code is exchanged at most once, and only
// after the answer named the right issuer; userinfo is asked only after the ID
// token was found good. The error is a [*Refusal], or ctx's own when the patient
// left.
func (p *Provider) Finish(ctx context.Context, kept []byte, cb Callback) (identity.Answer, error) {
	c, refused := p.readChallenge(kept)
	if refused == nil {
		refused = p.judgeCallback(c, cb)
	}
	if refused != nil {
		return identity.Answer{}, refused
	}
	within, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	m, refused := p.ready(within)
	if refused != nil {
		return identity.Answer{}, refused
	}
	if m.issuerSent && !cb.HasIssuer { // announced since the attempt was begun
		return identity.Answer{}, refuse(Other, causeCallbackNoIss)
	}
	started := p.now()
	answer, refused := p.converse(within, m, c, cb.Code)
	if err := ctx.Err(); err != nil {
		return identity.Answer{}, fmt.Errorf("login at provider %s: %w", p.cfg.ID, err)
	}
	p.note(refused, p.now().Sub(started))
	if refused != nil {
		return identity.Answer{}, refused
	}
	return answer, nil
}

// note tells the breaker how a conversation went. A refusal is an answer.
func (p *Provider) note(refused *Refusal, took time.Duration) {
	if refused != nil && refused.Kind == Down {
		p.told(p.pulse.failed(refused.Error(), p.now()))
		return
	}
	p.told(p.pulse.answered(took, p.now()))
}

// judgeCallback decides before anything is exchanged. The issuer comes first, in
// errors too: an answer of another provider says nothing (RFC 9207 §2.4).
func (p *Provider) judgeCallback(c challenge, cb Callback) *Refusal {
	switch {
	case cb.HasIssuer && cb.Issuer != p.cfg.Issuer:
		return refuse(Other, causeCallbackIssuer)
	case !cb.HasIssuer && c.IssuerSent:
		return refuse(Other, causeCallbackNoIss)
	case cb.Error != "":
		return judgeError(cb.Error, cb.Description, c.Asserted)
	case cb.Code == "":
		return refuse(Other, causeNoCode)
	case !isCode(cb.Code.Reveal()):
		return refuse(Other, causeOddCode)
	}
	return nil
}

// isCode reports whether it is made of what a code may be (RFC 6749 §A.11).
func isCode(s string) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return len(s) <= maxCode
}

// judgeError puts a provider's error into words of ours. The description is
// compared with the one that NHS login specifies and goes nowhere.
func judgeError(code, description string, asserted bool) *Refusal {
	switch code {
	case "access_denied":
		if description == "ConsentNotGiven" {
			return refuse(ConsentNotGiven, causeConsent)
		}
		return refuse(AccessDenied, causeDenied)
	case "sso_login_required":
		return refuse(SSOLoginRequired, causeSSO)
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		if asserted { // the patient was to be asked nothing; now they may be
			return refuse(SSOLoginRequired, causeSSO)
		}
		return refuse(LoginRequired, causeLogin)
	case "temporarily_unavailable":
		return refuse(TemporarilyUnavailable, causeUnavailable)
	case "server_error":
		return refuse(Other, causeServer)
	case "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type":
		return refuse(Other, causeRequest)
	}
	return refuse(Other, causeUnknownError)
}

// converse exchanges the code and reads the answer.
func (p *Provider) converse(ctx context.Context, m *metadata, c challenge, code identity.Secret) (identity.Answer, *Refusal) {
	tokens, refused := p.exchange(ctx, m, code, c.Verifier)
	if refused != nil {
		return identity.Answer{}, refused
	}
	want := expected{issuer: c.Issuer, client: p.cfg.ClientID, nonce: identity.Secret(c.Nonce), now: p.now()}
	id, refused := p.idToken(ctx, m, tokens, want)
	if refused != nil {
		return identity.Answer{}, refused
	}
	if speaksOfTwo(id) {
		return identity.Answer{}, refuse(Acting, causeActing)
	}
	reached, refused := p.kind.strength(id, c.Asked)
	if refused != nil {
		return identity.Answer{}, refused
	}
	subject, _ := id.text("sub")
	info, refused := p.userinfo(ctx, m, identity.Secret(tokens.AccessToken), subject)
	if refused != nil {
		return identity.Answer{}, refused
	}
	return p.answer(id, info, reached, want.now)
}

// answer puts both documents together.
func (p *Provider) answer(id, info claims, reached identity.Trust, now time.Time) (identity.Answer, *Refusal) {
	if speaksOfTwo(info) {
		return identity.Answer{}, refuse(Acting, causeActing)
	}
	level, refused := p.kind.level(id, info, reached)
	if refused != nil {
		return identity.Answer{}, refused
	}
	signed, unreadSigned := detailsOf(id, reached.P)
	told, unreadTold := detailsOf(info, reached.P)
	if differ(signed, told) {
		return identity.Answer{}, refuse(BadToken, causeDiffer)
	}
	if unread := append(unreadSigned, unreadTold...); len(unread) > 0 {
		p.log.Warn("provider claims left out, as they can't be read", "provider", p.cfg.ID, "claims", unread)
	}
	subject, _ := id.text("sub")
	return identity.Answer{
		Provider: p.cfg.ID, Issuer: p.cfg.Issuer, Subject: subject, Trust: reached, Level: level,
		AuthTime: authTime(id, now), TokenID: tokenID(id), Details: signed.Refreshed(told),
	}, nil
}
