package attempt

import (
	"errors"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// Page names one page of a journey.
type Page string

// The pages of a sign-up, in the order in which they come.
const (
	PageDevice    Page = "device"
	PageEmail     Page = "email"
	PageEmailCode Page = "email-code"
	PagePhone     Page = "phone"
	PagePhoneCode Page = "phone-code"
	PageName      Page = "name"
	PageBirthDate Page = "birth-date"
	PageNumber    Page = "nhs-number"
	PagePostcode  Page = "postcode"
	PagePassword  Page = "password"
	PageCheck     Page = "check"
	PageCard      Page = "second-way"
	PageDone      Page = "done"
)

// Rules is who may sign up (configuration: sign_up, register).
type Rules struct {
	MinimumAge   int
	Practices    []string // ODS codes; empty: any
	TestNumbers  bool     // NHS numbers in the 9… range
	ContactProof bool     // a proved contact counts where the register can't be asked whose else it is
	Linkage      bool     // the register holds the GP linkage details that practices give
	EmailCodes   bool     // a code by e-mail is asked for of patients who have no second factor
	Organisation []string // words that no password may be
}

// SignUp is a sign-up in flight: what was given so far.
type SignUp struct {
	Journey // of its row

	Trip          Attempt // where it is for, on what device, in which language
	DeviceKnown   bool
	Helped        bool
	HelperEmail   identity.Email // the helper's own contacts, which are refused
	HelperPhone   identity.Phone
	Details       identity.Details
	NoPhone       bool
	NumberUnknown bool
	Postcode      identity.Postcode
	Password      password.Record // hashed; the zero Record is none yet
	EmailAt       time.Time       // when its code was sent last
	PhoneAt       time.Time
	PhoneProvedAt time.Time

	Account   string // once it was opened
	Basis     identity.Basis
	Cause     string // why no more could be confirmed, in words of ours
	Reference string // of that
	CardDone  bool
}

// signUpPages is every page with what must be there before it is behind the
// patient. The order is the journey: a page is reached when all before it are done.
var signUpPages = []struct {
	page Page
	done func(SignUp) bool
}{
	{PageDevice, func(s SignUp) bool { return s.DeviceKnown }},
	{PageEmail, func(s SignUp) bool { return !s.EmailAt.IsZero() }},
	{PageEmailCode, func(s SignUp) bool { return s.Details.EmailVerified }},
	{PagePhone, func(s SignUp) bool { return s.NoPhone || !s.PhoneAt.IsZero() }},
	{PagePhoneCode, func(s SignUp) bool { return s.NoPhone || s.Details.PhoneVerified }},
	{PageName, func(s SignUp) bool { return !s.Details.FamilyName.IsZero() }},
	{PageBirthDate, func(s SignUp) bool { return !s.Details.BirthDate.IsZero() }},
	{PageNumber, func(s SignUp) bool { return s.NumberUnknown || !s.Details.NHSNumber.IsZero() }},
	{PagePostcode, func(s SignUp) bool { return !s.NumberUnknown || !s.Postcode.IsZero() }},
	{PagePassword, func(s SignUp) bool { return s.Password.PHC != "" }},
	{PageCheck, func(s SignUp) bool { return s.Account != "" }},
	{PageCard, func(s SignUp) bool { return s.CardDone }},
	{PageDone, func(SignUp) bool { return false }},
}

// Known reports whether a sign-up has that page.
func (p Page) Known() bool {
	for _, known := range signUpPages {
		if known.page == p {
			return true
		}
	}
	return false
}

// NextPage decides which page comes next. It is pure, and the only place that
// decides it.
func NextPage(s SignUp) Page {
	for _, p := range signUpPages {
		if !p.done(s) {
			return p.page
		}
	}
	return PageDone
}

// Next returns the step of the sign-up.
func (s SignUp) Next() Step {
	return Step{Kind: StepSignUp, Page: NextPage(s), Return: s.Trip.Return}
}

// Open reports whether the patient may be on that page: it is the next one, or one
// behind that can still be changed. Nothing behind the account's opening can.
func (s SignUp) Open(p Page) bool {
	next := NextPage(s)
	if p == next {
		return true
	}
	if s.Account != "" || !concerns(s, p) {
		return false
	}
	return place(p) >= 0 && place(p) < place(next)
}

// concerns reports whether the page is one that this patient has to do with.
func concerns(s SignUp, p Page) bool {
	switch p {
	case PagePhoneCode:
		return !s.NoPhone && !s.Details.PhoneVerified
	case PageEmailCode:
		return !s.Details.EmailVerified
	case PagePostcode:
		return s.NumberUnknown
	}
	return true
}

func place(p Page) int {
	for i, one := range signUpPages {
		if one.page == p {
			return i
		}
	}
	return -1
}

// Progress returns which of how many stages the page belongs to: what a patient
// counts, where a code belongs to its address.
func Progress(p Page) (stage, of int) {
	stages := [][]Page{
		{PageDevice},
		{PageEmail, PageEmailCode},
		{PagePhone, PagePhoneCode},
		{PageName},
		{PageBirthDate},
		{PageNumber, PagePostcode},
		{PagePassword},
		{PageCheck},
		{PageCard},
	}
	for i, pages := range stages {
		if slices.Contains(pages, p) {
			return i + 1, len(stages)
		}
	}
	return len(stages), len(stages)
}

// Before returns the page that "Back" leads to, or nothing at the first.
func (s SignUp) Before(p Page) Page {
	for i := place(p) - 1; i >= 0; i-- {
		if before := signUpPages[i].page; s.Open(before) {
			return before
		}
	}
	return ""
}

// What is told to a patient who gave something that can't be taken.
var (
	// ErrNotYet says that a page was posted that is not reached, or is behind.
	ErrNotYet = errors.New("the page is not due")
	// ErrHelpersContact says that a contact is the helper's own.
	ErrHelpersContact = errors.New("the contact is the helper's")
	// ErrNotUKMobile says that texts can't be sent to that number.
	ErrNotUKMobile = errors.New("not a mobile number of the United Kingdom")
	// ErrTooYoung says that the patient may not sign up yet; the journey is
	// forgotten.
	ErrTooYoung = errors.New("too young to sign up")
	// ErrTestNumber says that the number is of a range that is for tests.
	ErrTestNumber = errors.New("a test number")
	// ErrTaken says that another browser opened an account with that address
	// meanwhile.
	ErrTaken = errors.New("the address has an account by now")
)

// Wait says that a code was sent a moment ago, and when another can be.
type Wait struct{ Until time.Time }

// Error says that it is too early.
func (w *Wait) Error() string { return "a code was sent a moment ago" }

// sharedIdle is how long what was typed on somebody else's device is kept.
const sharedIdle = 10 * time.Minute

// fades returns when what was typed is wiped: on somebody else's device, ten minutes
// after its last page, whether anybody comes back or not.
func (s SignUp) fades(now time.Time) time.Time {
	if !s.Trip.Shared || s.Account != "" || s.EmailAt.IsZero() {
		return time.Time{}
	}
	return now.Add(sharedIdle)
}

// faded returns the sign-up without anything of the patient: she gives her address
// again, and a new code to it begins again.
func (s SignUp) faded() SignUp {
	return SignUp{Journey: s.Journey, Trip: s.Trip, DeviceKnown: true, Helped: s.Helped}
}
