package rp

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/rp/page"
)

// contactPages are where the address of each channel is changed.
var contactPages = map[identity.Channel]struct {
	ask, code, held string
	field, same     string // the input, and the fault of an address that the account has
	purpose         page.CodePurpose
	life            code.Purpose
}{
	identity.ByEmail: {
		"/account/email", "/account/email-code", "/account/email-held", "email", "fault.same-email", page.CodeChangeEmail, code.ChangeEmail,
	},
	identity.BySMS: {
		"/account/phone", "/account/phone-code", "/account/phone-held", "phone", "fault.same-phone", page.CodeChangePhone, code.ChangePhone,
	},
}

// askContact asks for a new address (GET /account/email, /account/phone). A session
// that may not change its account now is led to the step-up first.
func (s *Server) askContact(by identity.Channel) handler {
	return func(v *visit) error {
		if ready, err := v.ready(); !ready {
			return err
		}
		if err := v.attempts.MayChange(v.r.Context(), *v.session); err != nil {
			return v.asked(by, err)
		}
		return v.showContact(by, http.StatusOK)
	}
}

func (v *visit) showContact(by identity.Channel, status int, faults ...page.Fault) error {
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	content := page.ContactChange{
		Channel: by, First: by == identity.BySMS && acc.Details().Phone.IsZero(), Off: v.contactOff(by), Typed: v.field(contactPages[by].field), Faults: faults,
	}
	content.AtOnce = by == identity.BySMS && attempt.LetIn(*v.session)
	if opens := acc.Opens(v.now()); opens.Sub(v.now()) > account.HoldFor {
		content.Opens = opens
	}
	held, err := v.heldContact(acc, by)
	switch {
	case err == nil:
		content.Waits = held.Opens
	case !errors.Is(err, identity.ErrNotFound):
		return err
	}
	return v.show(status, content)
}

// contactOff reports whether an address of that channel can't be changed now: it
// could not be proved, or the patient not be told of it where they read.
func (v *visit) contactOff(by identity.Channel) bool {
	return v.channelOff(by) || v.channelOff(identity.ByEmail)
}

// heldContact returns the change of that channel that waits, or
// [identity.ErrNotFound].
func (v *visit) heldContact(acc account.Account, by identity.Channel) (account.Change, error) {
	held, err := v.accounts.Waiting(v.r.Context(), acc)
	for _, c := range held {
		if c.Channel == by {
			return c, err
		}
	}
	return account.Change{}, errors.Join(err, identity.ErrNotFound)
}

// heldChanges are the changes that wait, as the account's page tells them.
func (v *visit) heldChanges(acc account.Account) ([]page.Held, error) {
	all, err := v.accounts.Waiting(v.r.Context(), acc)
	var told []page.Held
	for _, c := range all {
		told = append(told, page.Held{Channel: c.Channel, New: c.Contact().Reveal(), Opens: c.Opens, URL: contactPages[c.Channel].held})
	}
	return told, err
}

// giveContact takes a new address and sends its code (POST /account/email,
// /account/phone). The page is the same for every address.
func (s *Server) giveContact(by identity.Channel) handler {
	return func(v *visit) error {
		if ready, err := v.ready(); !ready {
			return err
		}
		v.path = contactPages[by].ask
		if v.contactOff(by) {
			return v.showContact(by, http.StatusServiceUnavailable)
		}
		err := v.askCode(by)
		var told *faulty
		if errors.As(err, &told) {
			return v.showContact(by, http.StatusUnprocessableEntity, told.faults...)
		}
		return v.asked(by, err)
	}
}

// askCode reads the address that was typed and sends a code to it.
func (v *visit) askCode(by identity.Channel) error {
	where := contactPages[by]
	browser := v.ensureBrowser(v.session.Shared)
	var err error
	if by == identity.ByEmail {
		email, bad := identity.ParseEmail(v.field(where.field))
		if bad != nil {
			return fault(where.field, "fault.email")
		}
		if err := v.slow(); err != nil {
			return err
		}
		err = v.attempts.AskEmail(v.r.Context(), browser, *v.session, email)
	} else {
		phone, bad := identity.ParsePhone(v.field(where.field))
		if bad != nil {
			return fault(where.field, "fault.phone")
		}
		if err := v.slow(); err != nil {
			return err
		}
		err = v.attempts.AskPhone(v.r.Context(), browser, *v.session, phone)
	}
	switch {
	case errors.Is(err, attempt.ErrSame):
		return fault(where.field, where.same)
	case errors.Is(err, attempt.ErrNotUKMobile):
		return fault(where.field, "fault.phone-not-uk-mobile")
	}
	return err
}

// asked goes on to the page of the code that was asked for. Who asks again too soon
// is led to the one under way.
func (v *visit) asked(by identity.Channel, err error) error {
	var wait *attempt.Wait
	switch {
	case notYet(err):
		return v.later(err, contactPages[by].ask)
	case errors.Is(err, identity.ErrNotFound):
		return v.redirect(contactPages[by].ask)
	case err != nil && !errors.As(err, &wait):
		return err
	}
	return v.redirect(contactPages[by].code)
}

// contactCode asks for the code that was sent to the new address
// (GET /account/email-code, /account/phone-code).
func (s *Server) contactCode(by identity.Channel) handler {
	return func(v *visit) error {
		if ready, err := v.ready(); !ready {
			return err
		}
		return v.showContactCode(by, http.StatusOK, false)
	}
}

func (v *visit) showContactCode(by identity.Channel, status int, sent bool, faults ...page.Fault) error {
	due, err := v.attempts.Changing(v.r.Context(), v.browser, *v.session, by)
	if errors.Is(err, identity.ErrNotFound) {
		return v.redirect(contactPages[by].ask)
	}
	if err != nil {
		return err
	}
	where := contactPages[by]
	return v.show(status, page.Code{
		Purpose: where.purpose, To: due.Contact().Reveal(), Lasts: code.Life(where.life), ChangeURL: where.ask, Back: where.ask,
		Action: where.code, Off: by == identity.BySMS && v.channelOff(by), Sent: sent, Faults: faults,
	})
}

// giveContactCode judges the code, or sends a new one (POST /account/email-code,
// /account/phone-code).
func (s *Server) giveContactCode(by identity.Channel) handler {
	return func(v *visit) error {
		if ready, err := v.ready(); !ready {
			return err
		}
		v.path = contactPages[by].code
		if v.field("resend") != "" {
			return v.resendContact(by)
		}
		_, err := v.attempts.GiveChange(v.r.Context(), v.browser, *v.session, by, v.field("code"), func(token identity.Secret) string {
			// The configured address, never what a header says ours is.
			return s.origin + "/stop/" + token.Reveal()
		})
		if key := codeFault(err); key != "" {
			return v.showContactCode(by, http.StatusUnprocessableEntity, false, page.Fault{Field: "code", Key: key})
		}
		if err != nil {
			return v.codeLimit(guessing{trip: attempt.Attempt{Return: attempt.Return{Path: "/account"}}, class: contactPages[by].field}, err)
		}
		if attempt.LetIn(*v.session) && by == identity.BySMS {
			return v.redirect(regainedPath)
		}
		return v.redirect(contactPages[by].held)
	}
}

func (v *visit) resendContact(by identity.Channel) error {
	err := v.attempts.AskAgainFor(v.r.Context(), v.browser, *v.session, by)
	var wait *attempt.Wait
	switch {
	case errors.As(err, &wait):
		return v.showContactCode(by, http.StatusUnprocessableEntity, false, page.Fault{Field: "code", Key: page.FaultWait, Until: wait.Until})
	case err != nil:
		return v.asked(by, err)
	}
	return v.showContactCode(by, http.StatusOK, true)
}

// contactHeld says what works now, and what opens when (GET /account/email-held,
// /account/phone-held).
func (s *Server) contactHeld(by identity.Channel) handler {
	return func(v *visit) error {
		if ready, err := v.ready(); !ready {
			return err
		}
		acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
		if err != nil {
			return err
		}
		held, err := v.heldContact(acc, by)
		if errors.Is(err, identity.ErrNotFound) {
			return v.redirect("/account")
		}
		if err != nil {
			return err
		}
		return v.show(http.StatusOK, page.ContactHeld{
			Channel: by, New: held.Contact().Reveal(), Opens: held.Opens, First: by == identity.BySMS && acc.Details().Phone.IsZero(),
		})
	}
}

// stopContact stops the change that waits (POST /account/email-held,
// /account/phone-held). It asks for no fresh login: it only keeps what is.
func (s *Server) stopContact(by identity.Channel) handler {
	return func(v *visit) error {
		if ready, err := v.ready(); !ready {
			return err
		}
		err := v.attempts.StopChange(v.r.Context(), *v.session, by)
		if err != nil && !errors.Is(err, identity.ErrNotFound) { // it was stopped, or took place, meanwhile
			return err
		}
		return v.redirect("/account")
	}
}

// followStop takes the token of a link that stops a change out of the address
// (GET /stop/{token}).
func (s *Server) followStop(v *visit) error {
	v.path = "/stop-change"
	err := v.attempts.FollowStop(v.r.Context(), v.ensureBrowser(false).Digest(), identity.Secret(mux.Vars(v.r)["token"]))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return v.nothingToStop()
	case err != nil:
		return err
	}
	return v.redirect("/stop-change")
}

// stopChange asks before a change is stopped (GET /stop-change). A program that
// follows links in mails stops nothing.
func (s *Server) stopChange(v *visit) error {
	waits, err := v.attempts.Stoppable(v.r.Context(), v.browser)
	switch {
	case err != nil:
		return err
	case !waits:
		return v.nothingToStop()
	}
	return v.show(http.StatusOK, page.ContactCancel{})
}

// giveStopChange stops it, whoever is logged in here or not (POST /stop-change).
func (s *Server) giveStopChange(v *visit) error {
	stopped, err := v.attempts.StopByLink(v.r.Context(), v.browser, v.reference)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return v.nothingToStop()
	case err != nil:
		return err
	}
	v.note.cause = "change-stopped"
	if v.session != nil && v.session.Account == stopped.Account { // which has ended with all others
		v.session = nil
		v.clearBrowser()
	}
	return v.show(http.StatusOK, page.ContactCancel{Done: true, Reference: v.reference})
}

// nothingToStop says that the link stops nothing any more, under a reference: who did
// not ask for the change needs help now.
func (v *visit) nothingToStop() error {
	r := refuse(http.StatusGone, page.LinkOver, "nothing-to-stop")
	return v.show(r.status, page.ContactCancel{Gone: true, Reference: v.noted(r)})
}
