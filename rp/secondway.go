package rp

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
)

// ownSession returns the session of a patient who signed up here, or leads to the
// login.
func (v *visit) ownSession() error {
	if v.session == nil {
		return v.redirect("/login?" + url.Values{"return": {v.r.URL.Path}}.Encode())
	}
	if !v.session.Evidence.Own.IsZero() {
		return nil
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account) // by a provider that is linked
	if err != nil {
		return err
	}
	if _, own := acc.Own(); !own {
		return refuse(http.StatusNotFound, page.NotFound, "no-such-page")
	}
	return nil
}

// provesHere is ready for a session that something of ours opened: what the practice gave
// raises the factors that it was opened with, and no others.
func (v *visit) provesHere() (bool, error) {
	ready, err := v.ready()
	if ready && v.session.Evidence.Own.IsZero() {
		return false, refuse(http.StatusNotFound, page.NotFound, "no-such-page")
	}
	return ready, err
}

// ready reports whether a patient who signed up here is logged in; if not, it has
// answered, or returns why not.
func (v *visit) ready() (bool, error) {
	err := v.ownSession()
	return err == nil && v.session != nil, err
}

// after is where the second way leads to: the rest of a sign-up, or where the login
// was for.
func (v *visit) after() string {
	to, ok := parseReturnTo(v.values().Get("to"))
	if !ok {
		return "/account"
	}
	return to
}

// onTheWay is after, for a page whose forms lead there.
func (v *visit) onTheWay() (string, error) {
	to := v.after()
	u, err := url.Parse(to)
	if err != nil || u.Path != "/authorize" {
		return to, nil
	}
	return to, v.leadTo(attempt.Return{Request: single(u.Query(), "request")})
}

// secondWay offers the printed card (GET /account/second-way). It is also the last
// page of a sign-up.
func (s *Server) secondWay(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	to, err := v.onTheWay()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, page.CardAsk{To: to, Left: f.Card.Left, Phone: f.Phone.ID != "" || f.App.ID != ""})
}

// makeCard makes the card and shows it, once, or keeps that the patient takes the
// risk (POST /account/second-way).
func (s *Server) makeCard(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	v.path = cardPath
	if v.field("risk") != "" {
		if err := v.attempts.TakeRisk(v.r.Context(), *v.session); err != nil {
			return err
		}
		return v.pastCard()
	}
	codes, err := v.attempts.MakeCard(v.r.Context(), *v.session)
	if notYet(err) {
		return v.later(err, cardPath)
	}
	if err != nil {
		return err
	}
	to, err := v.onTheWay()
	if err != nil {
		return err
	}
	content := page.Card{Action: "/account/second-way/done", To: to, Large: v.param("large") != ""}
	for _, c := range codes {
		content.Codes = append(content.Codes, c.Reveal())
	}
	return v.show(http.StatusOK, content)
}

// pastCard goes on after the second way: to the end of a sign-up under way, or to
// where the login was for.
func (v *visit) pastCard() error {
	under, err := v.signUpHere()
	if err == nil {
		under, err = v.attempts.DoneWithCard(v.r.Context(), v.browser)
	}
	switch {
	case err == nil:
		return v.dispatch(under.Next(), "")
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, attempt.ErrNotYet):
		return v.redirect(v.after())
	}
	return err
}

// cardDone says that the codes were kept (POST /account/second-way/done).
func (s *Server) cardDone(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	return v.pastCard()
}

// activation asks for a code that staff handed over (GET /account/activation).
func (s *Server) activation(v *visit) error {
	if ready, err := v.provesHere(); !ready {
		return err
	}
	return v.show(http.StatusOK, page.Activation{})
}

// giveActivation spends it (POST /account/activation).
func (s *Server) giveActivation(v *visit) error {
	if ready, err := v.provesHere(); !ready {
		return err
	}
	v.path = "/account/activation"
	seat := attempt.Seat{Secret: v.secret, Session: v.session}
	login, err := v.attempts.Hand(v.r.Context(), seat, identity.Secret(v.field("activation_code")))
	if key := handedFault(err); key != "" {
		content := page.Activation{Reference: v.noted(handedRefused(err)), Faults: []page.Fault{{Field: "activation_code", Key: key}}}
		return v.show(http.StatusUnprocessableEntity, content)
	}
	if errors.Is(err, account.ErrFrozen) {
		return v.frozen(attempt.Return{})
	}
	if err != nil {
		return v.codeLimit(guessing{class: "activation_code"}, err)
	}
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	return v.redirect("/account")
}

// handedFault names what is told of a handed code that was not taken.
func handedFault(err error) string {
	switch {
	case errors.Is(err, identity.ErrExpired):
		return "fault.handed-expired"
	case errors.Is(err, identity.ErrSpent):
		return "fault.handed-spent"
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrForeign):
		return "fault.handed-wrong"
	case errors.Is(err, identity.ErrConflict):
		return "fault.handed-conflict"
	}
	return ""
}

// handedRefused tells the help desk why, and what about it: the patient is told less
// where the code is somebody else's.
func handedRefused(err error) *refusal {
	cause, class := "handed-unknown", "activation_code"
	switch {
	case errors.Is(err, identity.ErrExpired):
		cause = "handed-expired"
	case errors.Is(err, identity.ErrSpent):
		cause = "handed-used"
	case errors.Is(err, identity.ErrForeign):
		cause, class = "handed-to-another", "birthdate"
	case errors.Is(err, identity.ErrConflict):
		cause, class = "number-proved-by-another", "nhs_number"
	}
	r := refuse(http.StatusUnprocessableEntity, page.CodeLimit, cause)
	r.classes = []string{class}
	return r
}

// forgetBrowser takes remembering away from one browser, or all
// (POST /account/browsers).
func (s *Server) forgetBrowser(v *visit) error {
	if ready, err := v.ready(); !ready {
		return err
	}
	forget := func() error { return v.attempts.ForgetBrowser(v.r.Context(), *v.session, v.field("browser")) }
	if !v.r.PostForm.Has("browser") {
		forget = func() error { return v.attempts.ForgetBrowsers(v.r.Context(), *v.session) }
	}
	if err := forget(); err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	return v.redirect("/account")
}
