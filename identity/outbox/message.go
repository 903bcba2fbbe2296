package outbox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Kind says which message it is. Each has words of its own in every language.
type Kind string

// The kinds. Those with a parameter name it.
const (
	CodeSignUp          Kind = "code-sign-up"          // code: proves a contact at sign-up
	CodeLogin           Kind = "code-login"            // code: the second step of a login
	CodeLoginEmail      Kind = "code-login-email"      // code: the second step of a login where there is no second factor
	CodeChange          Kind = "code-change"           // code: proves a new contact, or an act on the account
	CodeRecover         Kind = "code-recover"          // code: proves a contact at recovery
	AddressInUse        Kind = "address-in-use"        // somebody signed up with an address that has an account
	AddressTaken        Kind = "address-taken"         // somebody wants to change to an address that has an account
	NoAccount           Kind = "no-account"            // somebody asked for a reset for an address that has none
	SignedUp            Kind = "signed-up"             // the account was made
	ResetLink           Kind = "reset-link"            // link: where a new password is chosen
	PasswordChanged     Kind = "password-changed"      //
	EmailChanged        Kind = "email-changed"         //
	PhoneChanged        Kind = "phone-changed"         //
	ChangeAsked         Kind = "change-asked"          // link: where the change can be stopped for 24 hours
	ChangeStopped       Kind = "change-stopped"        // it was stopped, or fell away: nothing changed
	NewDevice           Kind = "new-device"            // a login in a browser not seen before
	RegisterContactTold Kind = "register-contact-told" // somebody proved who they are with a record that has this contact
	LoginReminder       Kind = "login-reminder"        // address: the e-mail address that logs in
	LevelRaised         Kind = "level-raised"          // the account was proved more surely
	CardMade            Kind = "card-made"             // a card of one-time codes was made
	AppAdded            Kind = "app-added"             // an authenticator app was set up
	AppRemoved          Kind = "app-removed"           // it was taken from the account
	ProviderLinked      Kind = "provider-linked"       // a provider's login became a way into the account
	ProviderUnlinked    Kind = "provider-unlinked"     // and is so no longer
	QuietOn             Kind = "quiet-on"              // the patient wants no messages that they don't ask for
	PasskeyAdded        Kind = "passkey-added"         // a passkey was made
	PasskeyRemoved      Kind = "passkey-removed"       // it was taken from the account
	PasskeyOff          Kind = "passkey-off"           // there are two of it: it opens nothing any more
	FactorOff           Kind = "factor-off"            // too many wrong codes at a phone or an app, which opens nothing any more
	Closing             Kind = "closing"               // the account closes in 14 days, as its patient asked
	Closed              Kind = "closed"                // it is closed, and what was kept is erased
	Renumbered          Kind = "renumbered"            // staff corrected the NHS number
	RecoveryMade        Kind = "recovery-made"         // staff made a code that lets back in
	Recovered           Kind = "recovered"             // it was used
	Locked              Kind = "locked"                // too many wrong passwords
)

// The kinds for portals. They have no words.
const (
	SessionOver   Kind = "session-over"   // sid, sub: a session that the portal knows has ended
	SecurityEvent Kind = "security-event" // at, event, sub: something happened to an account that the portal knows
)

// shape is what a kind of message carries and where it may go.
type shape struct {
	params   []string
	channels []identity.Channel // none: portals' own
}

// Channels that messages go by, for the table below. A code that is a second factor
// never goes by e-mail: there it would be none (NIST SP 800-63B-4 §3.1.3.1).
var (
	either  = []identity.Channel{identity.ByEmail, identity.BySMS}
	byEmail = []identity.Channel{identity.ByEmail}
	bySMS   = []identity.Channel{identity.BySMS}
)

var shapes = map[Kind]shape{
	CodeSignUp:          {[]string{"code"}, either},
	CodeLogin:           {[]string{"code"}, bySMS},
	CodeLoginEmail:      {[]string{"code"}, byEmail},
	CodeChange:          {[]string{"code"}, either},
	CodeRecover:         {[]string{"code"}, either},
	AddressInUse:        {nil, byEmail},
	AddressTaken:        {nil, byEmail},
	NoAccount:           {nil, byEmail},
	SignedUp:            {nil, either},
	ResetLink:           {[]string{"link"}, byEmail},
	PasswordChanged:     {nil, either},
	EmailChanged:        {nil, either},
	PhoneChanged:        {nil, either},
	ChangeAsked:         {[]string{"link"}, either},
	ChangeStopped:       {nil, either},
	NewDevice:           {nil, either},
	RegisterContactTold: {nil, either},
	LoginReminder:       {[]string{"address"}, either},
	LevelRaised:         {nil, either},
	CardMade:            {nil, either},
	AppAdded:            {nil, byEmail},
	AppRemoved:          {nil, byEmail},
	ProviderLinked:      {nil, either},
	ProviderUnlinked:    {nil, either},
	QuietOn:             {nil, byEmail},
	PasskeyAdded:        {nil, byEmail},
	PasskeyRemoved:      {nil, byEmail},
	PasskeyOff:          {nil, byEmail},
	FactorOff:           {nil, byEmail},
	Closing:             {nil, either},
	Closed:              {nil, either},
	Renumbered:          {nil, either},
	RecoveryMade:        {nil, either},
	Recovered:           {nil, either},
	Locked:              {nil, either},
	SessionOver:         {[]string{"sid", "sub"}, nil},
	SecurityEvent:       {[]string{"at", "event", "sub"}, nil},
}

// guards are the notices that are sent to a patient who wants none, too: whoever made
// them happen holds the patient's address or the word of our staff, and nothing else
// would stop them.
var guards = []Kind{ChangeAsked, RecoveryMade, Recovered, QuietOn}

// Guards reports whether a notice of the kind is sent to a patient who wants none.
func (k Kind) Guards() bool { return slices.Contains(guards, k) }

// Kinds returns every kind that has words for patients, sorted.
func Kinds() []Kind {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(shapes)), func(k Kind) bool { return shapes[k].channels == nil })
}

// Params returns the names of what a message of the kind carries.
func (k Kind) Params() []string { return shapes[k].params }

// Goes reports whether messages of the kind go by that channel.
func (k Kind) Goes(by identity.Channel) bool {
	want, known := shapes[k]
	if _, portal := by.Portal(); portal {
		return known && want.channels == nil
	}
	return slices.Contains(want.channels, by)
}

// noticeLife is how long a message without a code or link is tried: longer than a
// weekend's outage, shorter than its news would be stale.
const noticeLife = 72 * time.Hour

// Message is one message to one contact.
type Message struct {
	// ID is the courier's reference for it and the key to its never being sent
	// twice. Empty: it is given one when it is put down. Nothing personal.
	ID string
	// Thread groups messages of which only the latest is good, such as the codes
	// of one step: a later one takes the place of those not sent yet, as a code
	// that a newer one has killed must not be sent. An opaque id; empty: alone.
	Thread   string
	To       identity.Contact
	Language string // "en" or "cy"; empty: both, until one is known
	Kind     Kind
	Params   map[string]identity.Secret
	Due      time.Time // zero: now
	// Expires is when it is sent no more: the end of the code's or link's own
	// life. Zero: three days, for a message that carries neither.
	Expires time.Time
}

// finish fills in what the caller left to us, and refuses a message that could
// never be sent.
func (m Message) finish(now time.Time) (Message, error) {
	want, known := shapes[m.Kind]
	switch {
	case !known:
		return m, fmt.Errorf("message: wanted a kind of ours, got %.40q", string(m.Kind))
	case m.To.IsZero():
		return m, fmt.Errorf("message %s: wanted a contact, got none", m.Kind)
	case !m.Kind.Goes(m.To.Channel):
		return m, fmt.Errorf("message %s: wanted one of %v, got %s", m.Kind, want.channels, m.To.Channel)
	}
	if got := slices.Sorted(maps.Keys(m.Params)); !slices.Equal(got, want.params) {
		return m, fmt.Errorf("message %s: wanted the parameters %v, got %v", m.Kind, want.params, got)
	}
	for name, value := range m.Params {
		if value == "" {
			return m, fmt.Errorf("message %s: wanted a %s, got none", m.Kind, name)
		}
	}
	return m.timed(now, len(want.params) > 0)
}

var errNoLife = errors.New("message: wanted the end of the code's or link's life after its beginning, got none")

func (m Message) timed(now time.Time, carries bool) (Message, error) {
	if m.ID == "" {
		m.ID = identity.NewID()
	}
	if m.Due.IsZero() {
		m.Due = now
	}
	if m.Expires.IsZero() && !carries {
		m.Expires = m.Due.Add(noticeLife)
	}
	if !m.Due.Before(m.Expires) {
		return m, errNoLife
	}
	return m, nil
}
