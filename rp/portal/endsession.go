package portal

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/dilys-id/dilys/identity"
)

// endParams are the parameters of RP-Initiated Logout 1.0 §2.
var endParams = []string{"id_token_hint", "client_id", "logout_hint", "post_logout_redirect_uri", "state", "ui_locales"}

// EndSession judges a portal's wish to end the session (OpenID Connect
// RP-Initiated Logout 1.0), and ends it if the request names this very session: by
// an ID token of ours, expired or not, or by client_id with logout_hint, the
// session's sid, which only its portals know. Any other wish, or one that the
// browser's window did not make (an image on someone's page), is asked about
// first and ends nothing until the patient has confirmed it.
//
// The patient is sent on only to an address registered for the portal that is
// named.
func (p *Portals) EndSession(ctx context.Context, params url.Values, seat Seat) (Decision, error) {
	if len(params) > maxParams {
		return refusal(BadRequest, "too-many-parameters"), nil
	}
	values, err := readOnce(params, endParams...)
	if err != nil || len(values["state"]) > maxState {
		return refusal(BadRequest, "parameter-repeated"), nil
	}
	w, err := p.readWish(ctx, values)
	if err != nil {
		return Decision{}, err
	}
	if seat.Session != nil && !seat.Confirmed && !p.names(w, seat) {
		return w.ask(), nil
	}
	if seat.Session == nil {
		return w.over(""), nil
	}
	if err := p.sessions.End(ctx, *seat.Session, "ended-by-portal"); err != nil && !errors.Is(err, identity.ErrNotFound) {
		return Decision{}, fmt.Errorf("end the session: %w", err)
	}
	return w.over(seat.Session.Handle), nil
}

// wish is what an end-session request names with certainty.
type wish struct {
	portal   *Portal
	session  string // handle; empty: none
	subject  string // of id_token_hint; empty: not said
	url      string // where to go then, parameters and all; empty: nowhere
	cause    string // why something in it was not believed
	params   url.Values
	language string
}

// names reports whether the wish is about the session of that seat, and was made
// by the browser's window.
func (p *Portals) names(w wish, seat Seat) bool {
	return seat.Navigation && w.cause == "" && w.session == seat.Session.Handle && (w.subject == "" || w.subject == p.subject(w.portal, *seat.Session))
}

// readWish believes what an ID token of ours says, and of client_id and
// logout_hint what they say together. A hint that is none of ours, or was given to
// another portal than client_id names, makes the whole request a stranger's.
func (p *Portals) readWish(ctx context.Context, values map[string]string) (wish, error) {
	w := wish{params: url.Values{}, language: first(p.spoken(values["ui_locales"]))}
	if raw := values["id_token_hint"]; raw != "" {
		hint, err := p.verifier.IDTokenHint(ctx, raw)
		if err != nil && !isBadToken(err) {
			return w, err
		}
		w.portal, w.session, w.subject = p.portal(hint.Audience), hint.SessionID, hint.Subject
		if err != nil || w.portal == nil || values["client_id"] != "" && values["client_id"] != w.portal.ID {
			return wish{cause: "bad-id-token-hint", language: w.language}, nil
		}
		w.params.Set("id_token_hint", raw)
	} else if w.portal = p.portal(values["client_id"]); w.portal != nil {
		w.session = values["logout_hint"]
		w.params.Set("client_id", w.portal.ID)
	}
	w.readReturn(values)
	return w, nil
}

// readReturn believes a post_logout_redirect_uri that is registered for the portal
// that is named.
func (w *wish) readReturn(values map[string]string) {
	uri := values["post_logout_redirect_uri"]
	switch {
	case uri == "":
	case w.portal == nil || !slices.Contains(w.portal.PostLogoutRedirectURIs, uri):
		w.cause = "unknown-post-logout-redirect-uri"
	default:
		w.params.Set("post_logout_redirect_uri", uri)
		back := url.Values{}
		if state := values["state"]; state != "" {
			w.params.Set("state", state)
			back.Set("state", state)
		}
		w.url = WithQuery(uri, back)
	}
}

// ask shows the page that ends nothing by itself. What it posts back is what was
// believed.
func (w wish) ask() Decision {
	return Decision{Kind: AskLogout, Portal: w.portal, Cause: w.cause, Fields: w.params, Language: w.language, URL: w.url}
}

// over tells that the session has ended, or that there was none.
func (w wish) over(handle string) Decision {
	d := Decision{Kind: LoggedOut, Portal: w.portal, Cause: w.cause, Session: handle, Language: w.language, URL: w.url}
	if w.url != "" {
		d.Kind = LoggedOutTo
	}
	return d
}
