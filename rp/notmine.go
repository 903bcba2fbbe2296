package rp

import (
	"net/http"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
)

const notMyRecordPath = "/account/not-my-record"

// notMine says what will be done (GET /account/not-my-number, /account/not-my-record).
func (s *Server) notMine(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	return v.show(http.StatusOK, page.NotMine{Record: v.r.URL.Path == notMyRecordPath})
}

// giveNotMine freezes the record (POST to the same). It asks for no fresh proof: to
// lose a record by mistake costs a call, to keep another's costs more.
func (s *Server) giveNotMine(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	record, cause := v.r.URL.Path == notMyRecordPath, identity.FrozenNotMyNumber
	if record {
		cause = identity.FrozenNotMyRecord
	}
	seat := attempt.Seat{Secret: v.secret, Session: v.session}
	login, err := v.attempts.NotMine(v.r.Context(), seat, cause, v.reference)
	if err != nil {
		return err
	}
	v.note.cause = "record-frozen"
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	v.secret, v.session = login.Secret, &login.Session
	return v.show(http.StatusOK, page.NotMine{Record: record, Done: true, Reference: v.reference})
}

// frozen is the page for a patient whose account speaks for no record now, whatever
// they asked for. Log-in and account stay.
func (v *visit) frozen(to attempt.Return) error {
	r := refuse(http.StatusForbidden, page.NumberInvalidated, "record-frozen").again("/account")
	r.page.Return = declineURL(to)
	r.account = v.session.Account
	return r
}

// askNotMine puts the two doors onto the account page of a patient who has a record
// to speak of.
func askNotMine(content *page.Account, acc account.Account) {
	content.Frozen = acc.Frozen() != ""
	best, _ := acc.Best()
	if content.Frozen || best.Details.NHSNumber.IsZero() {
		return
	}
	content.NotNumber, content.NotRecord = "/account/not-my-number", notMyRecordPath
}
