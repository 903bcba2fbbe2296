package page

import (
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Account is what a patient sees about themselves.
type Account struct {
	Sources     []Source          // what is known of the patient, the surest first
	Trust       identity.Trust    // what this session reached
	Reasons     []identity.Reason // why
	Provider    Provider          // whom the patient logged in with, or who proved them
	SettingsURL string            // where the provider lets them be changed; empty: not shown
	Sessions    []Session         // where the patient is logged in, this one too
	Own         *Own              // what a patient has who signed up here; nil: one who came by a provider
	ActivityURL string            // where what happened is told; empty: not offered
	Frozen      bool              // the account speaks for no record until people have looked
	Moved       bool              // the register says that the patient is registered elsewhere by now
	Closes      time.Time         // when the account is deleted, as its patient asked; zero: not asked
	ExportURL   string            // where everything that is kept is shown; empty: not offered
	PasskeysURL string            // where passkeys are made and kept; empty: not offered
	QuietURL    string            // where it is kept from whoever sees messages or screen; empty: not offered
	LinksURL    string            // where the ways to log in are shown, and more are linked; empty: not offered
	LeaveURL    string            // where the account is deleted; empty: not offered
	NotNumber   string            // where "this is not my number" is told; empty: not offered
	NotRecord   string            // where "this is not my record" is told; empty: not offered
}

// Source is what a provider said of the patient, or what they gave here themselves.
// Each stays by itself: nothing tells which of two is right.
type Source struct {
	Provider Words // none: the patient, here
	Own      bool  // the patient gave it here
	Details  identity.Details
	Proved   bool // the number was proved: it is shown in a session of P9
}

// FullName returns given and family name as far as they are known.
func (s Source) FullName() string { return fullName(s.Details) }

// Phone returns the number as people read it.
func (s Source) Phone() string { return readable(s.Details.Phone) }

// NHSNumber returns the number of the source in groups where it may be shown.
func (a Account) NHSNumber(s Source) string {
	if !s.Proved {
		return ""
	}
	return shownNumber(a.Trust.P, s.Details)
}

// Own is what a patient has here who signed up here. An address that is empty is
// not offered.
type Own struct {
	EmailURL      string // where the address is changed
	PhoneURL      string // where the number is changed, or given
	PasswordURL   string
	ActivationURL string // where a code from staff is given
	LinkageURL    string // where the details of a practice's letter are given
	TwoStepURL    string // where a second factor is added and chosen
	TwoStep       bool   // there is one
	CardURL       string // where a card is made
	CardLeft      int    // codes left on it
	CardMade      time.Time
	CardDeclined  time.Time // when the patient took the risk of having none
	PhoneOff      bool      // too many codes to it were wrong: it opens nothing
	Browsers      []Browser // those that are remembered
	NoPhone       bool      // no number was given yet
	Held          []Held    // changes of address that wait
}

// Held is a change of address that waits.
type Held struct {
	Channel identity.Channel
	New     string // the new address
	Opens   time.Time
	URL     string // where it says what works now, and where it is stopped
}

// ByEmail reports whether the address is one for e-mail.
func (h Held) ByEmail() bool { return h.Channel == identity.ByEmail }

// Shown returns the new address as people read it.
func (h Held) Shown() string { return shownAddress(h.Channel, h.New) }

// shownAddress writes an address as people read it.
func shownAddress(by identity.Channel, address string) string {
	if p, err := identity.ParsePhone(address); err == nil && by == identity.BySMS {
		return readable(p)
	}
	return address
}

// Browser is one that may stand in for a code.
type Browser struct {
	ID     string // posted as `browser` to /account/browsers to have it forgotten
	This   bool
	Device string    // such as "Firefox on Windows"; empty: not known
	Seen   time.Time // when it last logged in
	Until  time.Time // when it is forgotten by itself
}

// Session is one place where the patient is logged in.
type Session struct {
	Handle   string // posted as `session` to /account/sessions to have it ended
	This     bool   // the one that looks at this page
	Device   string // such as "Firefox on Windows"; empty: not known
	Started  time.Time
	LastSeen time.Time
	Provider Words // whom the patient logged in with
}

// Elsewhere reports whether the patient is logged in anywhere but here.
func (a Account) Elsewhere() bool {
	return slices.ContainsFunc(a.Sessions, func(s Session) bool { return !s.This })
}

func (Account) template() string { return "account" }

func (Account) title(v *voice, _ *site) (string, error) { return v.plain("account.title") }

func fullName(d identity.Details) string {
	given, family := d.GivenName.Reveal(), d.FamilyName.Reveal()
	if given == "" || family == "" {
		return given + family
	}
	return given + " " + family
}

// shownNumber leaves out a number below P9: it is only claimed, or may be somebody
// else's whom the register was asked for, and NHS login forbids showing it.
func shownNumber(p identity.Proofing, d identity.Details) string {
	if p < identity.P9 {
		return ""
	}
	return d.NHSNumber.Spaced()
}

// readable writes a number as people read it: one of the United Kingdom with its
// leading zero and a gap, any other as it is.
func readable(p identity.Phone) string {
	number := p.Reveal()
	if national, found := strings.CutPrefix(number, "+44"); found {
		number = "0" + national
	}
	const digits, area = 11, 5
	if len(number) != digits || number[0] != '0' {
		return p.Reveal()
	}
	return number[:area] + " " + number[area:]
}

// SureKey names the text for how sure we are.
func (a Account) SureKey() string { return "account.sure." + a.Trust.P.String() }

// ReasonKey names the text of a reason.
func (a Account) ReasonKey(r identity.Reason) string { return "reason." + string(r) }

// LogoutConfirm asks before a log-out that a plain link or a portal began.
type LogoutConfirm struct {
	Action string  // where the answer is posted; empty: /logout
	Hidden []Field // parameters that go along
	Portal Words   // the portal that asked; none: the patient did
	Stay   string  // where "stay logged in" leads; empty: /account
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

func (LogoutConfirm) template() string { return "logout" }

func (LogoutConfirm) title(v *voice, _ *site) (string, error) { return v.plain("logout.title") }

// LoggedOut says that the session is over.
type LoggedOut struct {
	Portal   Words  // the portal that asked for it; may be none
	Return   string // that portal's registered address; empty: not offered
	Provider Words  // whom the patient had logged in with, who may still remember them; none: not said
	Services []LeftService
}

// LeftService is a service that the patient had opened with the session that is over.
type LeftService struct {
	Name    Words
	Told    bool // it has logged the patient out
	Waiting bool // it is being told
}

// Told returns the services that have logged the patient out.
func (p LoggedOut) Told() []LeftService { return p.services(true) }

// Open returns those that may not have.
func (p LoggedOut) Open() []LeftService { return p.services(false) }

func (p LoggedOut) services(told bool) []LeftService {
	return slices.DeleteFunc(slices.Clone(p.Services), func(s LeftService) bool { return s.Told != told })
}

func (LoggedOut) template() string { return "logged-out" }

func (LoggedOut) title(v *voice, _ *site) (string, error) { return v.plain("logged-out.title") }

// knownReasons are the reasons that have a sentence.
var knownReasons = []identity.Reason{
	identity.ReasonNoEvidence, identity.ReasonProviderP0, identity.ReasonProviderP5, identity.ReasonProviderP9,
	identity.ReasonPassword, identity.ReasonCode, identity.ReasonSharedKey, identity.ReasonPasskey,
	identity.ReasonLevelAbove, identity.ReasonFreshnessUnknown,
	identity.ReasonOwnP0, identity.ReasonOwnRegister, identity.ReasonOwnActivation, identity.ReasonOwnDocuments,
	identity.ReasonFactorBelow, identity.ReasonFactorHeld, identity.ReasonProviderLapsed, identity.ReasonFrozen,
	identity.ReasonText, identity.ReasonCard, identity.ReasonBrowser, identity.ReasonRecovered,
}
