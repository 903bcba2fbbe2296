package rp

import (
	"net/http"

	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
)

const (
	quietPath = "/account/quiet"
	exitPath  = "/exit"
)

// quiet says what is kept from whoever sees the patient's messages or screen
// (GET /account/quiet).
func (s *Server) quiet(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, page.Quiet{On: acc.Quiet})
}

// giveQuiet turns it on or off (POST to the same, `quiet`).
func (s *Server) giveQuiet(v *visit) error {
	if ready, err := v.entrusted(quietPath); !ready {
		return err
	}
	on := v.field("quiet") == "yes"
	login, err := v.attempts.Hush(v.r.Context(), attempt.Seat{Secret: v.secret, Session: v.session}, on)
	if notYet(err) {
		return v.later(err, quietPath)
	}
	if err != nil {
		return err
	}
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	v.secret, v.session = login.Secret, &login.Session
	return v.show(http.StatusOK, page.Quiet{On: on, Saved: true})
}

// exit ends the session and leads away at once (POST /exit). Whatever fails, the
// browser is cleared and the patient is away: somebody stands behind them.
func (s *Server) exit(v *visit) error {
	if v.session != nil {
		v.forget()
		v.note.err = v.leave("exit-page")
	}
	return v.away()
}

// away is the page that leads elsewhere. It tells of no session and no service.
func (v *visit) away() error {
	v.session = nil
	v.clearBrowser()
	return v.write(http.StatusOK, page.Away{}, nil)
}

// exits reports whether the patient pressed "Exit this page".
func (v *visit) exits() bool { return v.leaves() && v.r.URL.Path == exitPath }
