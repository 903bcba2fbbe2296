package portal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/token"
)

// noticeLife is how long a portal is told again that does not answer: as a weekend's
// outage lasts.
const noticeLife = 72 * time.Hour

// maxNoticeAnswer bounds what is read of an answer, in bytes: nothing in it counts.
const maxNoticeAnswer = 4 << 10

// Herald carries notices to portals. It is [outbox.Courier] for their channels.
type Herald struct {
	portals *Portals
	client  *http.Client
}

var _ outbox.Courier = (*Herald)(nil)

// NewHerald returns a herald that calls portals by that client, which follows no
// redirect.
func NewHerald(p *Portals, client *http.Client) *Herald { return &Herald{p, client} }

// Send tells the portal what the notice says: that a session has ended (OpenID Connect
// Back-Channel Logout 1.0 §2.5), or what happened to an account (RFC 8935 §2). The token
// is signed now, for it may have waited for days.
func (h *Herald) Send(ctx context.Context, m outbox.Message) error {
	id, _ := m.To.Channel.Portal()
	portal := h.portals.portals[id]
	switch {
	case portal == nil: // it left the configuration
	case m.Kind == outbox.SessionOver && portal.BackchannelLogoutURI != "":
		raw, err := h.portals.tokens.LogoutToken(portal.Alg, token.LogoutClaims{
			Subject: m.Params["sub"].Reveal(), SessionID: m.Params["sid"].Reveal(), Audience: portal.ID,
		})
		if err != nil {
			return fmt.Errorf("sign the logout token: %w", err)
		}
		return h.post(ctx, portal.BackchannelLogoutURI, "application/x-www-form-urlencoded", url.Values{"logout_token": {raw}}.Encode())
	case m.Kind == outbox.SecurityEvent && portal.EventsURI != "":
		raw, err := h.event(portal, m)
		if err != nil {
			return fmt.Errorf("sign the security event token: %w", err)
		}
		return h.post(ctx, portal.EventsURI, "application/secevent+jwt", raw)
	}
	return outbox.Permanent{Cause: "portal-takes-none"}
}

// post hands a token over. Every success is taken for one: 200 and 202 are the
// standards', 204 what some frameworks make of them.
func (h *Herald) post(ctx context.Context, to, kind, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return outbox.Permanent{Cause: "address"}
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", "application/json")
	answer, err := h.client.Do(r)
	if err != nil { // to tell it twice does no harm, so that nobody needs to know
		return outbox.Temporary{Cause: "no-connection"}
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxNoticeAnswer))
	if answer.StatusCode < http.StatusOK || answer.StatusCode >= http.StatusMultipleChoices {
		return outbox.Temporary{Cause: fmt.Sprintf("status-%d", answer.StatusCode)}
	}
	return nil
}

// Sent is of [outbox.Courier]. Nobody can be asked: a portal that is told twice ends a
// session that it has ended.
func (h *Herald) Sent(context.Context, outbox.Message) (bool, error) { return false, nil }
