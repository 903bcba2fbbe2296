package rp

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
)

// recoverStart asks for the address (GET /recover).
func (s *Server) recoverStart(v *visit) error {
	if !s.signUp.Open {
		return s.notFound(v)
	}
	return v.show(http.StatusOK, page.Recover{EmailOff: v.channelOff(identity.ByEmail)})
}

// nhsLoginHelp says that we can't reset an NHS login, and how it is done
// (GET /recover/nhs-login).
func (s *Server) nhsLoginHelp(v *visit) error {
	if !slices.ContainsFunc(s.providers, func(p Provider) bool { return p.Words.IsNHSLogin() }) {
		return s.notFound(v)
	}
	content := page.NHSLoginHelp{}
	if s.signUp.Open {
		content.SignUpURL = "/sign-up"
	}
	return v.show(http.StatusOK, content)
}

// askReset mails a link (POST /recover). The page is the same for every address.
func (s *Server) askReset(v *visit) error {
	if !s.signUp.Open {
		return s.notFound(v)
	}
	typed := v.field("email")
	email, err := identity.ParseEmail(typed)
	if err != nil {
		content := page.Recover{Email: typed, Faults: []page.Fault{{Field: "email", Key: "fault.email"}}}
		return v.show(http.StatusUnprocessableEntity, content)
	}
	if err := v.slow(); err != nil {
		return err
	}
	err = v.evenly(func() error {
		return v.attempts.AskReset(v.r.Context(), email, func(token identity.Secret) string {
			// The configured address, never what a header says ours is.
			return s.origin + "/recover/" + token.Reveal()
		})
	})
	if err != nil {
		return err
	}
	return v.redirect("/recover/sent")
}

// recoverSent says that a mail is on its way, if the address is known here.
func (s *Server) recoverSent(v *visit) error { return v.show(http.StatusOK, page.RecoverSent{}) }

// followLink takes the token of a mailed link out of the address
// (GET /recover/{token}).
func (s *Server) followLink(v *visit) error {
	v.path = "/recover"
	err := v.attempts.FollowLink(v.r.Context(), v.ensureBrowser(false).Digest(), identity.Secret(mux.Vars(v.r)["token"]))
	if errors.Is(err, identity.ErrNotFound) {
		return linkOver()
	}
	if err != nil {
		return err
	}
	return v.redirect("/recover/link")
}

func linkOver() error {
	return refuse(http.StatusBadRequest, page.LinkOver, "link-over").again("/recover")
}

// recovering shows the page of the recovery that is due.
func (v *visit) recovering(faults ...page.Fault) error {
	under, err := v.attempts.Recovery(v.r.Context(), v.browser)
	if errors.Is(err, identity.ErrNotFound) {
		return linkOver()
	}
	if err != nil {
		return err
	}
	return v.showRecovery(under, faults...)
}

func (v *visit) showRecovery(under attempt.Recovery, faults ...page.Fault) error {
	status := http.StatusOK
	if faults != nil {
		status = http.StatusUnprocessableEntity
	}
	var content page.Content
	switch under.Next() {
	case attempt.PageLink:
		content = page.RecoverLink{Action: "/recover/link"}
	case attempt.PageFactor:
		content = v.factorPage(under, faults)
	case attempt.PageReset:
		content = page.NewPassword{Purpose: page.PasswordReset, Action: "/recover/password", Faults: faults}
	default:
		content = page.RecoverHelp{LetInURL: recoverLetIn}
	}
	return v.show(status, content)
}

// factorPage asks for a second factor: a reset never steps over it.
func (v *visit) factorPage(under attempt.Recovery, faults []page.Fault) page.Content {
	way := v.recoveryWay(under)
	action := factorURL(way)
	others := otherWays(under.Ways, way, under.SentAt.IsZero(), map[attempt.Way]string{
		attempt.WayApp: factorURL(attempt.WayApp), attempt.WayPhone: factorURL(attempt.WayPhone), attempt.WayCard: factorURL(attempt.WayCard),
	})
	switch way {
	case attempt.WayApp:
		return page.AppCode{Action: action, Others: others, Faults: faults, LostURL: "/recover/help"}
	case attempt.WayCard:
		return page.CardCode{Action: action, Others: others, Faults: faults, LostURL: "/recover/help"}
	}
	return page.Code{
		Purpose: page.CodeRecover, Action: action, Others: others, Off: v.channelOff(identity.BySMS), Faults: faults, LostPhoneURL: "/recover/help",
	}
}

// factorURL is where a second factor of that way is asked for.
func factorURL(way attempt.Way) string { return query("/recover/factor", "way", string(way)) }

// recoveryWay is the way that the address names, or the first that there is.
func (v *visit) recoveryWay(under attempt.Recovery) attempt.Way {
	if way := attempt.Way(v.param("way")); under.Ways.Has(way) {
		return way
	}
	return under.Ways[0]
}

// spendLink spends the mailed link (POST /recover/link).
func (s *Server) spendLink(v *visit) error {
	v.path = "/recover"
	_, err := v.attempts.SpendLink(v.r.Context(), v.browser)
	if errors.Is(err, identity.ErrNotFound) {
		return linkOver()
	}
	if wait := (*attempt.Wait)(nil); err != nil && !errors.As(err, &wait) {
		return err
	}
	return v.redirect("/recover/factor")
}

// recoverPage shows what is due (GET /recover/link, /recover/factor,
// /recover/password).
func (s *Server) recoverPage(v *visit) error { return v.recovering() }

// recoverHelp says who helps without any second factor (GET /recover/help).
func (s *Server) recoverHelp(v *visit) error {
	return v.show(http.StatusOK, page.RecoverHelp{LetInURL: recoverLetIn})
}

// giveFactor judges the second factor of a recovery (POST /recover/factor).
func (s *Server) giveFactor(v *visit) error {
	v.path = "/recover/factor"
	if v.field("resend") != "" {
		under, err := v.attempts.TextRecovery(v.r.Context(), v.browser)
		if wait := (*attempt.Wait)(nil); errors.As(err, &wait) {
			return v.recovering(page.Fault{Field: "code", Key: page.FaultWait, Until: wait.Until})
		}
		if err == nil && under.Next() == attempt.PageFactor {
			return v.redirect(factorURL(attempt.WayPhone))
		}
		return v.recovered(under, string(attempt.WayPhone), err)
	}
	way, field := attempt.WayPhone, "code"
	switch attempt.Way(v.param("way")) {
	case attempt.WayCard:
		way, field = attempt.WayCard, "card_code"
	case attempt.WayApp:
		way = attempt.WayApp
	}
	under, err := v.attempts.ProveRecovery(v.r.Context(), v.browser, way, identity.Secret(v.field(field)))
	if key := proofFault(way, err); key != "" && !errors.Is(err, identity.ErrNotFound) {
		return v.recovering(page.Fault{Field: field, Key: key})
	}
	return v.recovered(under, string(way), err)
}

// recovered goes on to the page that is due after a step of that recovery, in which a
// code of that class was given.
func (v *visit) recovered(under attempt.Recovery, class string, err error) error {
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return linkOver()
	case err != nil && !errors.Is(err, attempt.ErrNotYet):
		return v.codeLimit(guessing{account: under.Account, class: class}, err)
	}
	return v.redirect("/recover/password")
}

// setPassword sets the new password (POST /recover/password).
func (s *Server) setPassword(v *visit) error {
	v.path = "/recover/password"
	browser := identity.NewToken()
	trip := attempt.Attempt{Browser: v.browser.Digest(), Door: v.ownDoor, InApp: inNHSApp(v.r.UserAgent()), Language: v.lang}
	login, err := v.attempts.Reset(v.r.Context(), v.browser, identity.Secret(v.field("password")), trip, v.seatWith(browser))
	if key := passwordFault(err); key != "" {
		return v.recovering(page.Fault{Field: "password", Key: key})
	}
	switch {
	case errors.Is(err, attempt.ErrNotYet):
		return v.redirect("/recover/factor")
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrConflict):
		return linkOver()
	case err != nil:
		return v.busy(err)
	}
	if login.Secret != "" { // people let the patient in
		v.entered(browser, login, false)
		return v.redirect(regainedPath)
	}
	v.cookies.clear(v.w, sessionCookie)
	return v.redirect("/recover/done")
}

// recoverDone says that the password is changed (GET /recover/done).
func (s *Server) recoverDone(v *visit) error { return v.show(http.StatusOK, page.RecoverDone{}) }

// forgottenEmail sends a reminder to a proved phone (/recover/email). The page is
// the same for every number.
func (s *Server) forgottenEmail(v *visit) error {
	if !s.signUp.Open {
		return s.notFound(v)
	}
	if v.r.Method != http.MethodPost {
		return v.show(http.StatusOK, page.ForgottenEmail{TextsOff: v.channelOff(identity.BySMS)})
	}
	typed := v.field("phone")
	phone, err := identity.ParsePhone(typed)
	if err != nil {
		content := page.ForgottenEmail{Phone: typed, Faults: []page.Fault{{Field: "phone", Key: "fault.phone"}}}
		return v.show(http.StatusUnprocessableEntity, content)
	}
	if err := v.slow(); err != nil {
		return err
	}
	if err := v.evenly(func() error { return v.attempts.RemindEmail(v.r.Context(), phone) }); err != nil {
		return err
	}
	return v.show(http.StatusOK, page.ForgottenEmailSent{})
}
