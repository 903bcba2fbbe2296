package rp

import (
	"errors"
	"net/http"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/rp/page"
)

// The pages of the second step.
const (
	twoStepPath       = "/account/two-step"
	authenticatorPath = "/account/authenticator"
	cardPath          = "/account/second-way"
)

// cardURL is where a card is made by a patient who then comes back to the second step.
func cardURL() string { return query(cardPath, "to", twoStepPath) }

// twoStep shows what the patient is asked for beside the password
// (GET /account/two-step).
func (s *Server) twoStep(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	return v.showTwoStep(http.StatusOK, nil)
}

func (v *visit) showTwoStep(status int, change func(*page.TwoStep)) error {
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	content := page.TwoStep{
		Ways: proofWays(f.Ways()), AppSince: f.App.Bound, AppOff: f.App.Off, PhoneOff: f.Phone.Off, CardURL: cardURL(), CardLeft: f.Card.Left,
	}
	content.Email = len(content.Ways) == 0 && v.signUp.EmailCodes
	if v.signUp.Texts {
		content.PhoneURL = contactPages[identity.BySMS].ask
	}
	if change != nil {
		change(&content)
	}
	return v.show(status, content)
}

func proofWays(ways attempt.Ways) []page.ProofWay {
	all := make([]page.ProofWay, 0, len(ways))
	for _, w := range ways {
		all = append(all, page.ProofWay(w))
	}
	return all
}

// chooseWay keeps what the patient is asked for first (POST /account/two-step).
func (s *Server) chooseWay(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	err := v.attempts.ChooseWay(v.r.Context(), *v.session, attempt.Way(v.field("way")))
	switch {
	case notYet(err):
		return v.later(err, twoStepPath)
	case errors.Is(err, identity.ErrNotFound):
		return v.showTwoStep(http.StatusUnprocessableEntity, func(p *page.TwoStep) { p.Faults = []page.Fault{{Field: "way", Key: "fault.way"}} })
	case err != nil:
		return err
	}
	return v.showTwoStep(http.StatusOK, func(p *page.TwoStep) { p.Saved = true })
}

// authenticator says what an authenticator app is, and which there is
// (GET /account/authenticator).
func (s *Server) authenticator(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, page.AppIntro{Since: f.App.Bound, Off: f.App.Off})
}

// beginApp shows the seed of a new app, in this answer alone
// (POST /account/authenticator).
func (s *Server) beginApp(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	seed, err := v.attempts.BeginApp(v.r.Context(), v.browser, *v.session)
	if notYet(err) {
		return v.later(err, authenticatorPath)
	}
	if err != nil {
		return err
	}
	return v.showAppSetUp(http.StatusOK, page.AppSetUp{Seed: seed, Email: loginName(acc)})
}

// loginName names the account in the app.
func loginName(acc account.Account) identity.Email {
	link, _ := acc.Own()
	return link.Details.Email
}

func (v *visit) showAppSetUp(status int, content page.AppSetUp) error {
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	v.path = authenticatorPath + "/code" // what a change of language shows has no seed
	content.Again = f.App.ID != "" && !f.App.Off
	return v.show(status, content)
}

// appCode asks for the first code of an app whose seed was shown
// (GET /account/authenticator/code).
func (s *Server) appCode(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	pending, err := v.attempts.AppPending(v.r.Context(), v.browser, *v.session)
	if err != nil {
		return err
	}
	if !pending {
		return v.redirect(authenticatorPath)
	}
	return v.showAppSetUp(http.StatusOK, page.AppSetUp{})
}

// confirmApp binds the app by its first code (POST /account/authenticator/code).
func (s *Server) confirmApp(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	err := v.attempts.ConfirmApp(v.r.Context(), v.browser, *v.session, identity.Secret(v.field("code")))
	switch {
	case errors.Is(err, code.ErrMalformed), errors.Is(err, code.ErrWrong):
		return v.showAppSetUp(http.StatusUnprocessableEntity, page.AppSetUp{Faults: []page.Fault{{Field: "code", Key: proofFault(attempt.WayApp, err)}}})
	case errors.Is(err, identity.ErrNotFound):
		return v.redirect(authenticatorPath)
	case err != nil:
		return err
	}
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	content := page.AppDone{}
	if !f.Spares(attempt.WayApp) {
		content.CardURL = cardURL()
	}
	v.path = authenticatorPath
	return v.show(http.StatusOK, content)
}

// appRemove asks before the app is taken away (GET /account/authenticator/remove).
func (s *Server) appRemove(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	if f.App.ID == "" {
		return v.redirect(authenticatorPath)
	}
	return v.show(http.StatusOK, page.AppRemove{Last: !f.Spares(attempt.WayApp), CardURL: cardURL()})
}

// removeApp takes it away (POST /account/authenticator/remove).
func (s *Server) removeApp(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	err := v.attempts.RemoveApp(v.r.Context(), *v.session)
	switch {
	case notYet(err):
		return v.later(err, authenticatorPath+"/remove")
	case errors.Is(err, attempt.ErrLastFactor):
		return v.show(http.StatusConflict, page.AppRemove{Last: true, CardURL: cardURL()})
	case err != nil:
		return err
	}
	return v.redirect(twoStepPath)
}
