package rp

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/rp/page"
)

// loginEmail asks for address and password (GET /login/email).
func (s *Server) loginEmail(v *visit) error {
	if !s.signUp.Open {
		return s.notFound(v)
	}
	to, waiting, err := v.destination(v.r.URL.Query())
	if err != nil {
		return err
	}
	content := v.loginEmailPage(to, waiting.Name)
	if content.Passkey, err = v.askPasskey(to, content.Shared); err != nil {
		return err
	}
	return v.show(http.StatusOK, content)
}

func (v *visit) loginEmailPage(to attempt.Return, portal page.Words, faults ...page.Fault) page.LoginEmail {
	return page.LoginEmail{
		Portal: portal, RequestID: to.Request, Return: to.Path, Shared: v.param("device") == "shared" || v.field("device") == "shared",
		Email: v.field("email"), TextsOff: v.channelOff(identity.BySMS), SignUpURL: emailURL("/sign-up", to, false), Faults: faults,
	}
}

// logInByEmail judges address and password (POST /login/email). What is wrong is
// never told apart.
func (s *Server) logInByEmail(v *visit) error {
	if !s.signUp.Open {
		return s.notFound(v)
	}
	to, waiting, err := v.destination(v.r.PostForm)
	if err != nil {
		return err
	}
	v.path = startAgain(to)
	email, err := identity.ParseEmail(v.field("email"))
	secret := identity.Secret(v.field("password"))
	var faults []page.Fault
	if err != nil {
		faults = append(faults, page.Fault{Field: "email", Key: "fault.email"})
	}
	if secret == "" {
		faults = append(faults, page.Fault{Field: "password", Key: "fault.password-empty"})
	}
	if faults != nil {
		return v.show(http.StatusUnprocessableEntity, v.loginEmailPage(to, waiting.Name, faults...))
	}
	shared := v.field("device") == "shared"
	a := attempt.Attempt{
		Browser: v.ensureBrowser(shared).Digest(), Return: to, Door: waiting.Door, Shared: shared,
		InApp: inNHSApp(v.r.UserAgent()), Language: v.lang,
	}
	if v.session != nil {
		a.Session = v.session.Handle
	}
	if err := v.slow(); err != nil {
		return err
	}
	browser := identity.NewToken()
	// Who logs in again while logged in wants a fresher session, which a remembered
	// browser can't give.
	c := attempt.Credentials{Email: email, Password: secret, Fresh: waiting.Fresh || shared || v.session != nil}
	login, err := v.attempts.LogIn(v.r.Context(), c, a, v.seatWith(browser))
	var locked *attempt.Locked
	var wait *attempt.Wait
	switch {
	case errors.As(err, &wait):
		return v.waitForCode(wait)
	case errors.Is(err, attempt.ErrCredentials):
		return v.show(http.StatusUnprocessableEntity, v.loginEmailPage(to, waiting.Name, page.Fault{Field: "password", Key: "fault.credentials"}))
	case errors.As(err, &locked):
		r := refuse(http.StatusTooManyRequests, page.TooMany, "password-guesses")
		r.classes = []string{"password"}
		content := v.loginEmailPage(to, waiting.Name, page.Fault{Field: "password", Key: "fault.locked"})
		content.LockedUntil, content.Reference = locked.Until, v.noted(v.whose(email, r))
		return v.show(r.status, content)
	case err != nil:
		err = v.codeLimit(guessing{trip: a}, err)
		if r := (*refusal)(nil); errors.As(err, &r) {
			v.whose(email, r)
		}
		return err
	}
	return v.arrived(browser, login, shared)
}

// whose names the account that logs in with the address in the refusal's event. It
// asks the database alike for every address.
func (v *visit) whose(e identity.Email, r *refusal) *refusal {
	if acc, err := v.accounts.ByOwnEmail(v.r.Context(), e); err == nil {
		r.account = acc.ID
	}
	return r
}

// waitForCode shows the page of the code to a patient whose phone got too many, with
// when the next can be sent and the ways without it.
func (v *visit) waitForCode(wait *attempt.Wait) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	v.path = "/login/email/code"
	return v.show(http.StatusUnprocessableEntity, v.loginCodePage(due, page.Fault{Field: "code", Key: page.FaultWait, Until: wait.Until}))
}

// arrived gives the browser its session, or leads to the second factor.
func (v *visit) arrived(browser identity.Secret, login attempt.Login, shared bool) error {
	if login.Secret == "" {
		return v.dispatch(login.Step, "")
	}
	v.entered(browser, login, shared)
	again, err := v.attempts.AskCard(v.r.Context(), login.Session.Account)
	if err != nil {
		return err
	}
	if again {
		return v.redirect(query("/account/second-way", "to", landing(login.Step.Return)))
	}
	return v.onward(browser, login)
}

// busy puts a full queue of passwords into its page.
func (v *visit) busy(err error) error {
	if errors.Is(err, password.ErrBusy) {
		r := refuse(http.StatusServiceUnavailable, page.Busy, "hashing-busy").again(v.here())
		r.err, r.recorded = err, true // a crowd is counted, not recorded one by one
		return r
	}
	return err
}

// ownTurnedAway puts a rule's no to somebody who logs in without a provider into a
// page.
func (v *visit) ownTurnedAway(a attempt.Attempt, err error) error {
	switch {
	case errors.Is(err, identity.ErrDisabled):
		return refuse(http.StatusForbidden, page.Disabled, "account-disabled")
	case errors.Is(err, identity.ErrUnderAge):
		return refuse(http.StatusForbidden, page.UnderAge, "under-age")
	case errors.Is(err, attempt.ErrOtherPerson):
		return refuse(http.StatusForbidden, page.OtherPerson, "other-person").again("/logout")
	case errors.Is(err, identity.ErrConflict): // another tab was answered at the same moment, and has the session
		return v.redirect(landing(a.Return))
	case errors.Is(err, identity.ErrForeign):
		return refuse(http.StatusBadRequest, page.TooLate, "callback-foreign").again(startAgain(a.Return))
	case errors.Is(err, attempt.ErrCredentials): // a reset or a log-out everywhere came between the two factors
		return refuse(http.StatusBadRequest, page.TooLate, "login-overtaken").again(startAgain(a.Return))
	}
	return v.busy(err)
}

// second returns the login whose second factor is due in this browser.
func (v *visit) second() (attempt.SecondStep, error) {
	s, err := v.attempts.Second(v.r.Context(), v.browser)
	if errors.Is(err, identity.ErrNotFound) {
		return s, refuse(http.StatusBadRequest, page.TooLate, "second-factor-unknown").again("/login/email")
	}
	if err != nil {
		return s, err
	}
	return s, v.leadTo(s.Trip.Return)
}

// loginCode asks for the code that was sent (GET /login/email/code).
func (s *Server) loginCode(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	if due.Way != attempt.WayPhone && due.Way != attempt.WayEmail {
		return v.dispatch(due.Next(), "")
	}
	return v.show(http.StatusOK, v.loginCodePage(due))
}

func (v *visit) loginCodePage(due attempt.SecondStep, faults ...page.Fault) page.Code {
	content := page.Code{
		Purpose: page.CodeLogin, Remember: due.Remembers(due.Way), Others: otherLogins(due, due.Way), LostPhoneURL: lostPhonePath,
		Off: v.channelOff(identity.BySMS), Lasts: code.Life(code.Login), Faults: faults,
	}
	if due.Way == attempt.WayEmail {
		content.Purpose, content.LostPhoneURL, content.Off = page.CodeLoginEmail, "", v.channelOff(identity.ByEmail)
	}
	return content
}

const lostPhonePath = "/login/email/lost-phone"

// otherLogins are the ways beside that one, where each is asked for. A text that was
// not sent yet is sent by a form.
func otherLogins(due attempt.SecondStep, than attempt.Way) []page.OtherWay {
	return otherWays(due.Ways, than, due.SentAt.IsZero(), map[attempt.Way]string{
		attempt.WayApp: "/login/email/app", attempt.WayPhone: "/login/email/code", attempt.WayCard: "/login/email/card",
	})
}

func otherWays(ways attempt.Ways, than attempt.Way, unsent bool, at map[attempt.Way]string) []page.OtherWay {
	var others []page.OtherWay
	for _, w := range ways {
		if w != than && at[w] != "" {
			others = append(others, page.OtherWay{Way: page.ProofWay(w), URL: at[w], Send: w == attempt.WayPhone && unsent})
		}
	}
	return others
}

// giveLoginCode judges the code that was sent, or sends a new one
// (POST /login/email/code).
func (s *Server) giveLoginCode(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	if v.field("resend") != "" {
		return v.resendLogin(due)
	}
	way := due.Way
	if way != attempt.WayEmail {
		way = attempt.WayPhone
	}
	return v.giveSecond(due, way, "code", func(f ...page.Fault) page.Content { return v.loginCodePage(due, f...) })
}

func (v *visit) resendLogin(before attempt.SecondStep) error {
	due, err := v.attempts.ResendLogin(v.r.Context(), v.browser)
	if wait := (*attempt.Wait)(nil); errors.As(err, &wait) {
		return v.waitForCode(wait)
	}
	if err != nil {
		return v.codeLimit(guessing{before.Trip, before.Account, string(attempt.WayPhone)}, err)
	}
	content := v.loginCodePage(due)
	content.Sent = !before.SentAt.IsZero()
	return v.show(http.StatusOK, content)
}

// giveSecond judges what was typed into that field as the second factor of that way.
func (v *visit) giveSecond(due attempt.SecondStep, way attempt.Way, field string, again func(...page.Fault) page.Content) error {
	browser := identity.NewToken()
	typed := identity.Secret(v.field(field))
	login, err := v.attempts.GiveSecond(v.r.Context(), v.browser, way, typed, v.field("remember") != "", v.seatWith(browser))
	if key := proofFault(way, err); key != "" {
		return v.show(http.StatusUnprocessableEntity, again(page.Fault{Field: field, Key: key}))
	}
	if err != nil {
		return v.codeLimit(guessing{due.Trip, due.Account, string(way)}, err)
	}
	return v.arrived(browser, login, due.Trip.Shared)
}

// proofFault names what is told of a code that was not taken.
func proofFault(way attempt.Way, err error) string {
	key := codeFault(err)
	switch {
	case key == "":
		return ""
	case way == attempt.WayCard:
		return "fault.card-code"
	case way == attempt.WayApp && !errors.Is(err, code.ErrMalformed):
		return "fault.app-code"
	}
	return key
}

// loginApp asks for a code of the authenticator app (GET /login/email/app).
func (s *Server) loginApp(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	if !due.Ways.Has(attempt.WayApp) {
		return v.dispatch(due.Next(), "")
	}
	return v.show(http.StatusOK, loginAppPage(due))
}

func loginAppPage(due attempt.SecondStep, faults ...page.Fault) page.AppCode {
	return page.AppCode{
		LogsIn: true, Remember: due.Remembers(attempt.WayApp), Others: otherLogins(due, attempt.WayApp), LostURL: lostPhonePath, Faults: faults,
	}
}

// giveLoginApp judges a code of the authenticator app (POST /login/email/app).
func (s *Server) giveLoginApp(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	return v.giveSecond(due, attempt.WayApp, "code", func(f ...page.Fault) page.Content { return loginAppPage(due, f...) })
}

// guessing is where somebody was whose codes were wrong too often.
type guessing struct {
	trip    attempt.Attempt
	account string // id; empty: that of who is logged in
	class   string // of what was guessed at: a way, or a field
}

// codeLimit puts too many wrong codes into a page.
func (v *visit) codeLimit(at guessing, err error) error {
	err = v.limited(at.trip, err)
	if r := (*refusal)(nil); errors.As(err, &r) {
		r.account = at.account
		if r.page.Kind == page.CodeLimit && at.class != "" {
			r.classes = []string{at.class}
		}
	}
	return err
}

func (v *visit) limited(a attempt.Attempt, err error) error {
	locked := (*attempt.Locked)(nil)
	switch {
	case errors.As(err, &locked):
		r := refuse(http.StatusTooManyRequests, page.CodeLimit, "code-guesses").again(startAgain(a.Return))
		r.page.From = locked.Until
		return r
	case errors.Is(err, attempt.ErrFactorOff):
		return refuse(http.StatusForbidden, page.CodeLimit, "factor-off").again("/recover")
	}
	return v.ownTurnedAway(a, err)
}

// loginCard asks for a code of the printed card (GET /login/email/card).
func (s *Server) loginCard(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	if !due.Ways.Has(attempt.WayCard) {
		return v.dispatch(due.Next(), "")
	}
	return v.show(http.StatusOK, loginCardPage(due))
}

func loginCardPage(due attempt.SecondStep, faults ...page.Fault) page.CardCode {
	return page.CardCode{LogsIn: true, Others: otherLogins(due, attempt.WayCard), LostURL: lostPhonePath, Faults: faults}
}

// giveLoginCard judges a code of the printed card (POST /login/email/card).
func (s *Server) giveLoginCard(v *visit) error {
	due, err := v.second()
	if err != nil {
		return err
	}
	return v.giveSecond(due, attempt.WayCard, "card_code", func(f ...page.Fault) page.Content { return loginCardPage(due, f...) })
}

// lostPhone says what helps without the phone (GET /login/email/lost-phone).
func (s *Server) lostPhone(v *visit) error {
	due, err := v.attempts.Second(v.r.Context(), v.browser)
	if errors.Is(err, identity.ErrNotFound) { // what would help anybody
		due.Ways, err = attempt.Ways{attempt.WayPhone, attempt.WayCard}, nil
	}
	if err != nil {
		return err
	}
	content := page.LostPhone{Texts: due.Ways.Has(attempt.WayPhone), LetInURL: loginLetIn}
	if due.Ways.Has(attempt.WayCard) {
		content.CardURL = "/login/email/card"
	}
	return v.show(http.StatusOK, content)
}

// emailURL leads to the login by e-mail for the same destination.
func emailURL(path string, to attempt.Return, shared bool) string {
	q := url.Values{}
	if to.Request != "" {
		q.Set("request", to.Request)
	}
	if to.Path != "" {
		q.Set("return", to.Path)
	}
	if shared {
		q.Set("device", "shared")
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
