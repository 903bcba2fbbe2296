package rp

import (
	"errors"
	"net/http"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/rp/page"
)

// Where a code from staff is given: in the place of a log-in's second factor, and in
// that of a forgotten password's.
const (
	loginLetIn   = "/login/email/let-in"
	recoverLetIn = "/recover/let-in"
	regainedPath = "/account/regained"
)

// letInField is the input of the code.
const letInField = "recovery_code"

// letIn asks for the code (GET /login/email/let-in).
func (s *Server) letIn(v *visit) error {
	if _, err := v.second(); err != nil {
		return err
	}
	return v.show(http.StatusOK, loginLetInPage())
}

func loginLetInPage(faults ...page.Fault) page.LetIn {
	return page.LetIn{Action: loginLetIn, Back: "/login/email/lost-phone", Faults: faults}
}

// letInFault names what is told of a code that was not taken. Whether it was wrong,
// used or old is one answer: who calls the help desk is told there.
func letInFault(err error) []page.Fault {
	for _, is := range []error{code.ErrWrong, code.ErrMalformed, identity.ErrExpired, identity.ErrSpent} {
		if errors.Is(err, is) {
			return []page.Fault{{Field: letInField, Key: "fault.recovery-code"}}
		}
	}
	return nil
}

// letInRefused tells the help desk which it was.
func letInRefused(err error, account string) *refusal {
	cause := "recovery-code-wrong"
	switch {
	case errors.Is(err, identity.ErrExpired):
		cause = "recovery-code-expired"
	case errors.Is(err, identity.ErrSpent):
		cause = "recovery-code-used"
	}
	r := refuse(http.StatusUnprocessableEntity, page.CodeLimit, cause)
	r.account, r.classes = account, []string{letInField}
	return r
}

// giveLetIn judges it (POST /login/email/let-in).
func (s *Server) giveLetIn(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	browser := identity.NewToken()
	login, err := v.attempts.GiveSecond(
		v.r.Context(), v.browser, attempt.WayRecovery, identity.Secret(v.field(letInField)), false, v.seatWith(browser))
	if faults := letInFault(err); faults != nil {
		content := loginLetInPage(faults...)
		content.Reference = v.noted(letInRefused(err, due.Account))
		return v.show(http.StatusUnprocessableEntity, content)
	}
	if err != nil {
		return v.codeLimit(guessing{due.Trip, due.Account, letInField}, err)
	}
	v.entered(browser, login, due.Trip.Shared)
	return v.redirect(query(regainedPath, "to", landing(due.Trip.Return)))
}

// recoverLetIn asks for the code in a forgotten password (GET /recover/let-in).
func (s *Server) recoverLetIn(v *visit) error {
	if _, err := v.attempts.Recovery(v.r.Context(), v.browser); errors.Is(err, identity.ErrNotFound) {
		return linkOver()
	} else if err != nil {
		return err
	}
	return v.show(http.StatusOK, page.LetIn{Action: recoverLetIn, Back: "/recover/help"})
}

// giveRecoverLetIn judges it (POST /recover/let-in).
func (s *Server) giveRecoverLetIn(v *visit) error {
	v.path = recoverLetIn
	under, err := v.attempts.ProveRecovery(v.r.Context(), v.browser, attempt.WayRecovery, identity.Secret(v.field(letInField)))
	if faults := letInFault(err); faults != nil {
		content := page.LetIn{Action: recoverLetIn, Back: "/recover/help", Faults: faults, Reference: v.noted(letInRefused(err, under.Account))}
		return v.show(http.StatusUnprocessableEntity, content)
	}
	return v.recovered(under, letInField, err)
}

// regained says what works now and what opens when (GET /account/regained).
func (s *Server) regained(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	hold, err := v.attempts.Held(v.r.Context(), *v.session)
	switch {
	case err != nil:
		return err
	case hold.Paused:
		return v.show(http.StatusOK, page.Paused{Opens: hold.Until})
	case hold.Until.IsZero():
		return v.redirect("/account")
	}
	content := page.Regained{Opens: hold.Until, SetUp: hold.LetIn, To: v.after()}
	if hold.LetIn {
		content.PhoneURL, content.AppURL, content.CardURL = contactPages[identity.BySMS].ask, authenticatorPath, cardPath
	}
	return v.show(http.StatusOK, content)
}

// notYet reports whether the session may not change yet how its account is opened.
func notYet(err error) bool {
	return errors.Is(err, attempt.ErrStale) || errors.Is(err, attempt.ErrHeld)
}

// later leads to a fresh proof, and from there back to that page, or says when the
// change opens.
func (v *visit) later(err error, back string) error {
	if errors.Is(err, attempt.ErrHeld) {
		return v.redirect(regainedPath)
	}
	return v.redirect(stepUpURL(attempt.Return{Path: back}))
}
