package portal

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/identity/token"
)

const afterLogout = "https://portal.example.org/"

// Row C10: only a wish that names this very session, from the browser's own
// window, ends it unasked; and nobody is sent to an address that is not the
// portal's.
func TestC10EndSession(t *testing.T) {
	unsigned := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." // {"alg":"none","typ":"JWT"}
	for name, row := range map[string]struct {
		params func(w *world, s *session.Session) url.Values
		seat   Seat // its session is filled in
		out    bool // there is no session
		want   Kind
		url    string
	}{
		"a hint": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}}
		}, Seat{Navigation: true}, false, LoggedOut, ""},
		"an expired hint, address and state": {func(w *world, s *session.Session) url.Values {
			hint := w.hint(health, s)
			w.pass(29 * time.Minute)
			return url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {afterLogout}, "state": {"a&b"}}
		}, Seat{Navigation: true}, false, LoggedOutTo, afterLogout + "?state=a%26b"},
		"a hint and its portal": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}, "client_id": {health}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, LoggedOutTo, afterLogout},
		"client_id and sid": {func(_ *world, s *session.Session) url.Values {
			return url.Values{"client_id": {health}, "logout_hint": {s.Handle}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, LoggedOutTo, afterLogout},
		"no session any more": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, true, LoggedOutTo, afterLogout},
		"nothing at all":            {func(*world, *session.Session) url.Values { return nil }, Seat{Navigation: true}, false, AskLogout, ""},
		"nothing at all, confirmed": {func(*world, *session.Session) url.Values { return nil }, Seat{Navigation: true, Confirmed: true}, false, LoggedOut, ""},
		"client_id alone": {func(*world, *session.Session) url.Values {
			return url.Values{"client_id": {health}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, AskLogout, afterLogout},
		"client_id alone, confirmed": {func(*world, *session.Session) url.Values {
			return url.Values{"client_id": {health}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true, Confirmed: true}, false, LoggedOutTo, afterLogout},
		"sid of another session": {func(*world, *session.Session) url.Values {
			return url.Values{"client_id": {health}, "logout_hint": {"another"}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"sid without a portal": {func(_ *world, s *session.Session) url.Values {
			return url.Values{"logout_hint": {s.Handle}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"an image tag": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}}
		}, Seat{}, false, AskLogout, ""},
		"a bad address": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}, "post_logout_redirect_uri": {afterLogout + "x"}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"a query added to the address": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}, "post_logout_redirect_uri": {afterLogout + "?x=1"}}
		}, Seat{Navigation: true}, true, LoggedOut, ""},
		"an address without a portal": {func(*world, *session.Session) url.Values {
			return url.Values{"post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true, Confirmed: true}, false, LoggedOut, ""},
		"another portal's address": {func(*world, *session.Session) url.Values {
			return url.Values{"client_id": {app}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, true, LoggedOut, ""},
		"a hint of another session": {func(w *world, _ *session.Session) url.Values {
			w.patient("gwen", "1980-02-29")
			_, other := w.login("gwen", "P9.Cm")
			return url.Values{"id_token_hint": {w.hint(health, other)}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, AskLogout, afterLogout},
		"a hint with alg none": {func(w *world, s *session.Session) url.Values {
			_, rest, _ := strings.Cut(w.hint(health, s), ".")
			payload, _, _ := strings.Cut(rest, ".")
			return url.Values{"id_token_hint": {unsigned + payload + "."}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"a foreign hint": {func(_ *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {newWorld(t).hint(health, s)}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"an access token as hint": {func(w *world, s *session.Session) url.Values {
			raw, _, _ := w.tokens.AccessToken("", token.AccessClaims{Claims: w.claimsOf(&Portal{ID: health}, *s), Audience: health, ClientID: health})
			return url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"a hint of another portal": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(app, s)}, "client_id": {health}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"a hint beside the name of another portal": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}, "client_id": {app}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"a hint of a portal that is gone": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint("gone", s)}}
		}, Seat{Navigation: true}, false, AskLogout, ""},
		"a bad hint, logged out": {func(*world, *session.Session) url.Values {
			return url.Values{"id_token_hint": {"x"}, "post_logout_redirect_uri": {afterLogout}}
		}, Seat{Navigation: true}, true, LoggedOut, ""},
		"an address twice": {func(w *world, s *session.Session) url.Values {
			return url.Values{"id_token_hint": {w.hint(health, s)}, "post_logout_redirect_uri": {afterLogout, "https://evil.example/"}}
		}, Seat{Navigation: true}, false, Refuse, ""},
	} {
		w := newWorld(t)
		w.patient("mair", "1980-02-29")
		browser, s := w.login("mair", "P9.Cm")
		params := row.params(w, s)
		if !row.out {
			row.seat.Session = s
		}
		d, err := w.EndSession(context.Background(), params, row.seat)
		if err != nil || d.Kind != row.want || d.URL != row.url {
			t.Errorf("%s: wanted %d to %q, got %+v, %v", name, row.want, row.url, d, err)
		}
		_, err = w.room.Read(context.Background(), browser)
		if ended := err != nil; ended != (!row.out && (row.want == LoggedOut || row.want == LoggedOutTo)) {
			t.Errorf("%s: the session: %v", name, err)
		}
		if hidden := d.Fields.Encode(); strings.Contains(hidden, "evil") || row.url == "" && strings.Contains(hidden, "post_logout") {
			t.Errorf("%s: the page would post %s", name, hidden)
		}
	}
}

// What the page of AskLogout posts back leads where the wish led.
func TestAConfirmedWishGoesOn(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cm")
	hint := w.hint(health, s)
	_, s = w.login("mair", "P9.Cm") // another session of the same patient
	asked, err := w.EndSession(context.Background(), url.Values{
		"id_token_hint": {hint}, "post_logout_redirect_uri": {afterLogout}, "state": {"x"}, "ui_locales": {"cy"},
	}, Seat{Session: s, Navigation: true})
	if err != nil || asked.Kind != AskLogout || asked.Portal.ID != health || asked.Language != "cy" {
		t.Fatalf("got %+v, %v", asked, err)
	}
	done, err := w.EndSession(context.Background(), asked.Fields, Seat{Session: s, Navigation: true, Confirmed: true})
	if err != nil || done.Kind != LoggedOutTo || done.URL != afterLogout+"?state=x" || done.Session != s.Handle {
		t.Errorf("got %+v, %v", done, err)
	}
	if got := outcome(t, w.authorize(asks(map[string]string{"prompt": "none"}), w.live(s))); got != "login_required" {
		t.Errorf("prompt=none afterwards: got %s", got)
	}
}

// live returns the session if it still is.
func (w *world) live(s *session.Session) *session.Session {
	found, err := w.room.ByHandle(context.Background(), s.Handle)
	if err != nil {
		if !identity.IsOver(err) {
			w.t.Fatal(err)
		}
		return nil
	}
	return &found
}

func TestEndSessionWithoutAStoreEndsNothing(t *testing.T) {
	w := newWorld(t)
	w.patient("mair", "1980-02-29")
	_, s := w.login("mair", "P9.Cm")
	hint := w.hint(health, s)
	w.mem.down.Store(true)
	d, err := w.EndSession(context.Background(), url.Values{"id_token_hint": {hint}}, Seat{Session: s, Navigation: true})
	if err == nil || d.Kind != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
}
