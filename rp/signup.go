package rp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/rp/page"
)

// SignUp is what the front door knows of signing up; the zero value is closed.
type SignUp struct {
	Open       bool
	MinimumAge int
	Texts      bool // a courier for texts is configured
	EmailCodes bool // a code is mailed to patients who have no second factor
}

// startSignUp says what signing up is, and asks the one question that stores
// nothing (GET /sign-up). A sign-up under way goes on where it was.
func (s *Server) startSignUp(v *visit) error {
	if !s.signUp.Open {
		return refuse(http.StatusNotFound, page.SignUpClosed, "sign-up-closed").again("/login")
	}
	to, waiting, err := v.destination(v.r.URL.Query())
	if err != nil {
		return err
	}
	under, err := v.signUpHere()
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	if under.Account != "" {
		return v.dispatch(under.Next(), "")
	}
	if err == nil && v.param("again") == "" && attempt.NextPage(under) != attempt.PageDevice {
		return v.show(http.StatusOK, page.Interrupted{
			Shared: under.Trip.Shared && under.Details.Email.IsZero(), Action: "/sign-up/" + string(attempt.NextPage(under)), AgainURL: "/sign-up?again=1",
		})
	}
	return v.show(http.StatusOK, v.signUpStart(to, waiting.Name))
}

func (v *visit) signUpStart(to attempt.Return, portal page.Words, faults ...page.Fault) page.SignUpStart {
	content := page.SignUpStart{MinimumAge: v.signUp.MinimumAge, Portal: portal, RequestID: to.Request, Return: to.Path, NoTexts: !v.signUp.Texts || v.channelOff(identity.BySMS)}
	content.NHSLogin, content.LoginURL = v.nhsLogin(to), emailURL("/login/email", to, false)
	content.EmailOff, content.Faults = v.channelOff(identity.ByEmail), faults
	return content
}

// beginSignUp takes whether the patient is old enough (POST /sign-up).
func (s *Server) beginSignUp(v *visit) error {
	if !s.signUp.Open {
		return refuse(http.StatusNotFound, page.SignUpClosed, "sign-up-closed").again("/login")
	}
	to, waiting, err := v.destination(v.r.PostForm)
	if err != nil {
		return err
	}
	switch v.field("old_enough") {
	case "no":
		return v.redirect("/sign-up/too-young")
	case "yes":
	default:
		return v.show(http.StatusUnprocessableEntity, v.signUpStart(to, waiting.Name, page.Fault{Field: "old_enough", Key: "fault.old-enough"}))
	}
	if v.channelOff(identity.ByEmail) {
		return refuse(http.StatusServiceUnavailable, page.ChannelOff, "channel-off").again("/sign-up")
	}
	a := attempt.Attempt{
		Browser: v.ensureBrowser(false).Digest(), Return: to, Door: waiting.Door, InApp: inNHSApp(v.r.UserAgent()), Language: v.lang,
	}
	a.Door.MinimumAge = min(a.Door.MinimumAge, s.signUp.MinimumAge) // the portal judges its own age at its own door
	if v.session != nil {
		a.Session = v.session.Handle
	}
	begun, err := v.attempts.BeginSignUp(v.r.Context(), a)
	if err != nil {
		return err
	}
	return v.dispatch(begun.Next(), "")
}

// tooYoung says from which date a patient can sign up (/sign-up/too-young). The
// birth date is looked at and forgotten.
func (s *Server) tooYoung(v *visit) error {
	content := page.TooYoung{MinimumAge: s.signUp.MinimumAge}
	if v.r.Method != http.MethodPost {
		return v.show(http.StatusOK, content)
	}
	content.BirthDate = v.dateField()
	born, fault := v.birthDate()
	if fault != "" {
		content.Faults = []page.Fault{{Field: "bday", Key: fault}}
		return v.show(http.StatusUnprocessableEntity, content)
	}
	if born.AgeOn(v.now()) >= s.signUp.MinimumAge {
		return v.redirect("/sign-up")
	}
	content.From = born.Reaches(s.signUp.MinimumAge)
	return v.show(http.StatusOK, content)
}

// signUpPage shows one page of the sign-up (GET /sign-up/{page}).
func (s *Server) signUpPage(v *visit) error {
	p := attempt.Page(mux.Vars(v.r)["page"])
	under, err := v.underWay()
	if err != nil {
		return err
	}
	if !under.Open(p) {
		return v.dispatch(under.Next(), "")
	}
	content, err := v.signUpContent(under, p)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, content)
}

// signUpHere returns the sign-up of this browser, or [identity.ErrNotFound]. Once its
// account is open it says whose that is and how it went: it is there for that patient
// alone, and not for who comes to the device next.
func (v *visit) signUpHere() (attempt.SignUp, error) {
	under, err := v.attempts.SignUp(v.r.Context(), v.browser)
	if err == nil && under.Account != "" && (v.session == nil || v.session.Account != under.Account) {
		return attempt.SignUp{}, identity.ErrNotFound
	}
	return under, err
}

// underWay returns the sign-up of this browser; without one, it begins again.
func (v *visit) underWay() (attempt.SignUp, error) {
	under, err := v.signUpHere()
	if errors.Is(err, identity.ErrNotFound) {
		kind := page.TooLate
		if v.browser == "" {
			kind = page.CookiesOff
		}
		return under, refuse(http.StatusBadRequest, kind, "sign-up-unknown").again("/sign-up")
	}
	return under, err
}

// signUpForms are the pages of a sign-up and what their forms do.
var signUpForms = map[attempt.Page]func(*visit, attempt.SignUp) (attempt.SignUp, error){
	attempt.PageDevice:    (*visit).giveDevice,
	attempt.PageEmail:     (*visit).giveEmail,
	attempt.PageEmailCode: (*visit).giveCode,
	attempt.PagePhone:     (*visit).givePhone,
	attempt.PagePhoneCode: (*visit).giveCode,
	attempt.PageName:      (*visit).giveName,
	attempt.PageBirthDate: (*visit).giveBirthDate,
	attempt.PageNumber:    (*visit).giveNumber,
	attempt.PagePostcode:  (*visit).givePostcode,
	attempt.PagePassword:  (*visit).givePassword,
}

// faulty says which field of a form can't be taken, and why: the page comes back
// with what was typed.
type faulty struct{ faults []page.Fault }

func (f *faulty) Error() string { return fmt.Sprintf("%d fields can't be taken", len(f.faults)) }

func fault(field, key string) error { return &faulty{[]page.Fault{{Field: field, Key: key}}} }

// signUpGiven takes what was given on one page (POST /sign-up/{page}). A page that
// is not due does nothing: the patient is led to the one that is.
func (s *Server) signUpGiven(v *visit) error {
	p := attempt.Page(mux.Vars(v.r)["page"])
	v.path = "/sign-up/" + string(p)
	under, err := v.underWay()
	if err != nil {
		return err
	}
	if p == attempt.PageCheck {
		return v.confirmSignUp(under)
	}
	give, known := signUpForms[p]
	if !known || !under.Open(p) {
		return v.dispatch(under.Next(), "")
	}
	next, err := give(v, under)
	var told *faulty
	switch {
	case errors.As(err, &told):
		content, err := v.signUpContent(next, p, told.faults...)
		if err != nil {
			return err
		}
		return v.show(http.StatusUnprocessableEntity, content)
	case errors.Is(err, attempt.ErrNotYet), errors.Is(err, identity.ErrConflict): // another tab was quicker
		return v.dispatch(next.Next(), "")
	case errors.Is(err, attempt.ErrTooYoung):
		return v.show(http.StatusOK, page.TooYoung{MinimumAge: s.signUp.MinimumAge, From: v.from(s.signUp.MinimumAge)})
	case err != nil:
		return v.busy(err)
	}
	return v.dispatch(next.Next(), "")
}

func (v *visit) from(age int) time.Time {
	born, _ := v.birthDate()
	return born.Reaches(age)
}

// giveDevice takes whose device it is. On somebody else's, the browser value goes
// with the window.
func (v *visit) giveDevice(u attempt.SignUp) (attempt.SignUp, error) {
	device := v.field("device")
	if device != "own" && device != "shared" {
		return u, fault("device", "fault.device")
	}
	h := attempt.Helper{There: v.field("helped") == "yes"}
	if h.There {
		var err error
		if typed := v.field("helper_email"); typed != "" {
			if h.Email, err = identity.ParseEmail(typed); err != nil {
				return u, fault("helper_email", "fault.email")
			}
		}
		if typed := v.field("helper_phone"); typed != "" {
			if h.Phone, err = identity.ParsePhone(typed); err != nil {
				return u, fault("helper_phone", "fault.phone")
			}
		}
	}
	if device == "shared" {
		v.setBrowser(v.browser, true)
	}
	return v.attempts.GiveDevice(v.r.Context(), v.browser, device == "shared", h)
}

func (v *visit) giveEmail(u attempt.SignUp) (attempt.SignUp, error) {
	email, err := identity.ParseEmail(v.field("email"))
	if err != nil {
		return u, fault("email", "fault.email")
	}
	if err := v.slow(); err != nil {
		return u, err
	}
	next, err := v.attempts.GiveEmail(v.r.Context(), v.browser, email)
	if errors.Is(err, attempt.ErrHelpersContact) {
		return u, fault("email", "fault.helpers-contact")
	}
	return v.waited(next, err)
}

func (v *visit) givePhone(u attempt.SignUp) (attempt.SignUp, error) {
	if v.field("no_phone") != "" {
		return v.attempts.GivePhone(v.r.Context(), v.browser, identity.Phone{})
	}
	phone, err := identity.ParsePhone(v.field("phone"))
	if err != nil {
		return u, fault("phone", "fault.phone")
	}
	if err := v.slow(); err != nil {
		return u, err
	}
	next, err := v.attempts.GivePhone(v.r.Context(), v.browser, phone)
	switch {
	case errors.Is(err, attempt.ErrNotUKMobile):
		return u, fault("phone", "fault.phone-not-uk-mobile")
	case errors.Is(err, attempt.ErrHelpersContact):
		return u, fault("phone", "fault.helpers-contact")
	}
	return v.waited(next, err)
}

// waited leads a patient who asks for a code again too soon to the page of the code
// that is under way.
func (v *visit) waited(u attempt.SignUp, err error) (attempt.SignUp, error) {
	var wait *attempt.Wait
	if errors.As(err, &wait) {
		return u, nil
	}
	return u, err
}

func (v *visit) giveCode(u attempt.SignUp) (attempt.SignUp, error) {
	p := attempt.NextPage(u)
	if v.field("resend") != "" {
		next, err := v.attempts.Resend(v.r.Context(), v.browser, p)
		if wait := (*attempt.Wait)(nil); errors.As(err, &wait) {
			return u, &faulty{[]page.Fault{{Field: "code", Key: page.FaultWait, Until: wait.Until}}}
		}
		return next, err
	}
	next, err := v.attempts.GiveCode(v.r.Context(), v.browser, p, v.field("code"))
	if key := codeFault(err); key != "" {
		return u, fault("code", key)
	}
	return next, err
}

// codeFault names what is told of a code that was not taken; nothing for every
// other error.
func codeFault(err error) string {
	for key, is := range map[string]error{
		"fault.code-malformed": code.ErrMalformed, "fault.code-wrong": code.ErrWrong, "fault.code-expired": identity.ErrExpired,
		"fault.code-spent": identity.ErrSpent, "fault.code-none": identity.ErrNotFound,
	} {
		if errors.Is(err, is) {
			return key
		}
	}
	return ""
}

func (v *visit) giveName(u attempt.SignUp) (attempt.SignUp, error) {
	given, givenErr := identity.ParseName(v.field("given_name"))
	family, familyErr := identity.ParseName(v.field("family_name"))
	var faults []page.Fault
	if givenErr != nil || !plainName(given) {
		faults = append(faults, page.Fault{Field: "given_name", Key: "fault.given-name"})
	}
	if familyErr != nil || !plainName(family) {
		faults = append(faults, page.Fault{Field: "family_name", Key: "fault.family-name"})
	}
	if faults != nil {
		return u, &faulty{faults}
	}
	return v.attempts.GiveName(v.r.Context(), v.browser, given, family)
}

// plainName refuses what would read as an address or markup on a page of staff: a
// name carries no link (ASVS 1.3.11).
func plainName(n identity.Name) bool {
	const longest = 100
	text := n.Reveal()
	return len(text) <= longest && !strings.ContainsAny(text, "<>{}[]\\/@:;\"") && !strings.Contains(text, "www.")
}

// dateField is the date as it was typed.
func (v *visit) dateField() page.DateTyped {
	return page.DateTyped{Day: v.field("bday-day"), Month: v.field("bday-month"), Year: v.field("bday-year")}
}

// birthDate reads the three fields of a date, or says what is wrong with them.
func (v *visit) birthDate() (identity.BirthDate, string) {
	typed := v.dateField()
	if typed.Day == "" && typed.Month == "" && typed.Year == "" {
		return identity.BirthDate{}, "fault.birth-date-empty"
	}
	day, dayErr := strconv.Atoi(strings.TrimSpace(typed.Day))
	month, monthErr := strconv.Atoi(strings.TrimSpace(typed.Month))
	year, yearErr := strconv.Atoi(strings.TrimSpace(typed.Year))
	if errors.Join(dayErr, monthErr, yearErr) != nil || year > 9999 {
		return identity.BirthDate{}, "fault.birth-date"
	}
	born, err := identity.ParseBirthDate(fmt.Sprintf("%04d-%02d-%02d", year, month, day))
	if err != nil {
		return born, "fault.birth-date"
	}
	if born.Day().After(v.now()) {
		return born, "fault.birth-date-future"
	}
	return born, ""
}

func (v *visit) giveBirthDate(u attempt.SignUp) (attempt.SignUp, error) {
	born, key := v.birthDate()
	if key != "" {
		return u, fault("bday", key)
	}
	return v.attempts.GiveBirthDate(v.r.Context(), v.browser, born)
}

func (v *visit) giveNumber(u attempt.SignUp) (attempt.SignUp, error) {
	if v.field("unknown") != "" {
		return v.attempts.GiveNumber(v.r.Context(), v.browser, identity.NHSNumber{})
	}
	n, wrong := identity.CheckNHSNumber(v.field("nhs_number"))
	if wrong != "" {
		return u, fault("nhs_number", "fault.nhs-number-"+string(wrong))
	}
	next, err := v.attempts.GiveNumber(v.r.Context(), v.browser, n)
	if errors.Is(err, attempt.ErrTestNumber) {
		return u, fault("nhs_number", "fault.nhs-number-test-range")
	}
	return next, err
}

func (v *visit) givePostcode(u attempt.SignUp) (attempt.SignUp, error) {
	p, err := identity.ParsePostcode(v.field("postcode"))
	if err != nil {
		return u, fault("postcode", "fault.postcode")
	}
	return v.attempts.GivePostcode(v.r.Context(), v.browser, p)
}

func (v *visit) givePassword(u attempt.SignUp) (attempt.SignUp, error) {
	next, err := v.attempts.GivePassword(v.r.Context(), v.browser, identity.Secret(v.field("password")))
	if key := passwordFault(err); key != "" {
		return u, fault("password", key)
	}
	return next, err
}

// passwordFault names what is told of a password that is not taken; nothing for
// every other error.
func passwordFault(err error) string {
	if weak := (*attempt.WeakPassword)(nil); errors.As(err, &weak) {
		return "fault.password-" + string(weak.Fault)
	}
	return ""
}

// confirmSignUp opens the account (POST /sign-up/check).
func (v *visit) confirmSignUp(under attempt.SignUp) error {
	if attempt.NextPage(under) != attempt.PageCheck {
		return v.dispatch(under.Next(), "")
	}
	browser := identity.NewToken()
	opened, login, err := v.attempts.Confirm(v.r.Context(), v.browser, v.seatWith(browser), v.reference)
	switch {
	case errors.Is(err, attempt.ErrTaken):
		return refuse(http.StatusConflict, page.TooLate, "address-taken-meanwhile").again("/login/email")
	case errors.Is(err, identity.ErrConflict), errors.Is(err, attempt.ErrNotYet):
		return v.dispatch(under.Next(), "")
	case err != nil:
		return v.ownTurnedAway(under.Trip, err)
	}
	v.entered(browser, login, under.Trip.Shared)
	return v.dispatch(opened.Next(), "")
}

// seatWith is the seat that a login with a new browser value gets.
func (v *visit) seatWith(browser identity.Secret) attempt.Seat {
	return attempt.Seat{Browser: browser.Digest(), Device: describeDevice(v.r.UserAgent()), Secret: v.secret, Session: v.session}
}

// entered gives the browser what a login gave.
func (v *visit) entered(browser identity.Secret, login attempt.Login, shared bool) {
	v.finished()
	v.setBrowser(browser, shared || login.Session.Shared)
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	v.secret, v.session = login.Secret, &login.Session
}

// query returns an address with one more value in its query.
func query(path, key, value string) string {
	if value == "" {
		return path
	}
	return path + "?" + url.Values{key: {value}}.Encode()
}

// signUpContent is one page of the sign-up as the patient left it, or as they typed
// it where something can't be taken.
func (v *visit) signUpContent(u attempt.SignUp, p attempt.Page, faults ...page.Fault) (page.Content, error) {
	stage, of := attempt.Progress(p)
	progress, back := page.Progress{Step: stage, Of: of}, "/sign-up"
	if before := u.Before(p); before != "" {
		back += "/" + string(before)
	}
	d, typed := u.Details, faults != nil
	kept := func(field, value string) string {
		if typed {
			return v.field(field)
		}
		return value
	}
	switch p {
	case attempt.PageDevice:
		return page.SignUpDevice{
			Device: kept("device", v.chosenDevice(u)), Helped: kept("helped", "") != "" || u.Helped,
			HelperEmail: kept("helper_email", u.HelperEmail.Reveal()), HelperPhone: kept("helper_phone", u.HelperPhone.Reveal()),
			Back: back, Progress: progress, Faults: faults,
		}, nil
	case attempt.PageEmail:
		return page.SignUpEmail{Email: kept("email", d.Email.Reveal()), Back: back, Progress: progress, Faults: faults}, nil
	case attempt.PageEmailCode:
		return page.Code{
			Purpose: page.CodeSignUpEmail, To: d.Email.Reveal(), Lasts: code.Life(code.SignUpEmail), ChangeURL: "/sign-up/email",
			Off: v.channelOff(identity.ByEmail), Back: back, Progress: progress, Faults: faults,
		}, nil
	case attempt.PagePhone:
		return page.SignUpPhone{
			Phone: kept("phone", d.Phone.Reveal()), Off: !v.signUp.Texts || v.channelOff(identity.BySMS), Back: back, Progress: progress, Faults: faults,
		}, nil
	case attempt.PagePhoneCode:
		return page.Code{
			Purpose: page.CodeSignUpPhone, To: d.Phone.Reveal(), Lasts: code.Life(code.SignUpPhone), ChangeURL: "/sign-up/phone",
			Off: v.channelOff(identity.BySMS), Back: back, Progress: progress, Faults: faults,
		}, nil
	case attempt.PageName:
		return page.Name{
			Given: kept("given_name", d.GivenName.Reveal()), Family: kept("family_name", d.FamilyName.Reveal()), Back: back, Progress: progress, Faults: faults,
		}, nil
	case attempt.PageBirthDate:
		date := dateTyped(d.BirthDate)
		if typed {
			date = v.dateField()
		}
		return page.BirthDate{DateTyped: date, Back: back, Progress: progress, Faults: faults}, nil
	case attempt.PageNumber:
		return page.NHSNumber{Number: kept("nhs_number", d.NHSNumber.Spaced()), Back: back, Progress: progress, Faults: faults}, nil
	case attempt.PagePostcode:
		return page.Postcode{Postcode: kept("postcode", u.Postcode.Reveal()), Back: back, Progress: progress, Faults: faults}, nil
	case attempt.PagePassword:
		return page.NewPassword{Purpose: page.PasswordSignUp, Email: d.Email, Back: back, Progress: progress, Faults: faults}, nil
	case attempt.PageCheck:
		return page.CheckAnswers{
			Details: d, NoPhone: u.NoPhone, NumberUnknown: u.NumberUnknown, Postcode: u.Postcode, Back: back, Progress: progress, Faults: faults,
		}, nil
	case attempt.PageDone:
		return v.signedUp(u), nil
	}
	return nil, refuse(http.StatusNotFound, page.NotFound, "no-such-page")
}

func (v *visit) chosenDevice(u attempt.SignUp) string {
	switch {
	case !u.DeviceKnown:
		return ""
	case u.Trip.Shared:
		return "shared"
	}
	return "own"
}

// dateTyped puts a date that was given before into its three fields.
func dateTyped(b identity.BirthDate) page.DateTyped {
	if b.IsZero() {
		return page.DateTyped{}
	}
	day := b.Day()
	return page.DateTyped{Day: strconv.Itoa(day.Day()), Month: strconv.Itoa(int(day.Month())), Year: strconv.Itoa(day.Year())}
}

// signedUp is the last page: how sure we are, and what helps to become surer.
func (v *visit) signedUp(u attempt.SignUp) page.SignedUp {
	content := page.SignedUp{Outcome: page.OutcomeNotConfirmed, Reference: u.Reference, NextURL: landing(u.Trip.Return)}
	switch {
	case u.Basis == identity.BasisRegister:
		content.Outcome = page.OutcomeConfirmed
	case u.Cause == attempt.CauseRegisterDown:
		content.Outcome = page.OutcomeRegisterDown
	case u.NumberUnknown:
		content.Outcome = page.OutcomeNotKnown
	}
	if to := v.nhsLogin(u.Trip.Return); content.Outcome != page.OutcomeConfirmed {
		content.NHSLogin = to
	}
	return content
}

// nhsLogin leads to NHS login for the same destination, where it is configured.
func (v *visit) nhsLogin(to attempt.Return) string {
	for _, p := range v.providers {
		if p.Words.IsNHSLogin() {
			return page.Login{RequestID: to.Request, Return: to.Path}.Link(p.Words.ID)
		}
	}
	return ""
}
