package page

import (
	"encoding/json"
	"net/url"
	"time"
)

// passkeysAt is the page of an account's passkeys.
const passkeysAt = accountAt + "/passkeys"

// PasskeyAsk is what the script asks the browser with, and where it posts what comes
// back (`credential`). Without a script the page shows nothing of it.
type PasskeyAsk struct {
	Options string // JSON of WebAuthn §5.1.8 or §5.1.10
	Makes   bool   // a passkey is made, not asked for
	Action  string
	Fields  []Field // posted along
}

// Along returns what is posted along, for the script.
func (a PasskeyAsk) Along() string {
	along := map[string]string{}
	for _, f := range a.Fields {
		along[f.Name] = f.Value
	}
	b, _ := json.Marshal(along) // texts alone
	return string(b)
}

// Carried returns what a page of log-in posts along.
func Carried(request, to string, shared bool) []Field {
	return waiting(request, to, Login{Shared: shared}.device())
}

// passkeyErrors are the errors of WebAuthn that have a sentence of their own
// (WebAuthn §5.1.3 and §5.1.4); any other has that of UnknownError.
var passkeyErrors = []string{"NotAllowedError", "InvalidStateError", "NotSupportedError", "SecurityError", "ConstraintError", "UnknownError"}

// Errors returns the errors that have a sentence.
func (PasskeyAsk) Errors() []string { return passkeyErrors }

// ErrorKey names the sentence of an error.
func (a PasskeyAsk) ErrorKey(name string) string {
	if name == "InvalidStateError" && !a.Makes {
		name = "UnknownError"
	}
	return "passkey.error." + name
}

// Passkey is one of an account.
type Passkey struct {
	ID       string
	Name     string // the patient's own; may be empty
	AAGUID   string // of the authenticator's model; may be empty
	Made     time.Time
	Used     time.Time // zero: never since
	BackedUp bool
	Off      bool
}

// models names the authenticators that people have, by their AAGUID, as their makers
// publish them.
var models = map[string]string{
	"ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
	"adce0002-35bc-c60a-648b-0b25f1f05503": "Chrome, Mac",
	"08987058-cadc-4b81-b6e1-30de50dcbe96": "Windows Hello",
	"9ddd1817-af5a-4672-a2b9-3e3dd95000a9": "Windows Hello",
	"6028b017-b1d4-4c02-b4b3-afcdafc96bb2": "Windows Hello",
	"fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "Apple Passwords",
	"dd4ec289-e01d-41c9-bb89-70fa845d4bf2": "iCloud Keychain",
	"53414d53-554e-4700-0000-000000000000": "Samsung Pass",
	"bada5566-a7aa-401f-bd96-45619a55120d": "1Password",
	"d548826e-79b4-db40-a3d8-11116f7e8349": "Bitwarden",
	"531126d6-e717-415c-9320-3d9aa6981239": "Dashlane",
	"50726f74-6f6e-5061-7373-50726f746f6e": "Proton Pass",
	"fdb141b2-5d84-443e-8a35-4698c205a502": "KeePassXC",
	"0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6": "Keeper",
	"b84e4048-15dc-4dd0-8640-f4f60813c8af": "NordPass",
}

// Shown returns what the passkey is called: its name, or its model's; empty: neither.
func (p Passkey) Shown() string { return or(p.Name, models[p.AAGUID]) }

// At is where it is renamed (POST, `name`).
func (p Passkey) At() string { return passkeysAt + "/" + url.PathEscape(p.ID) }

// NameID names the input of its name.
func (p Passkey) NameID() string { return "name-" + p.ID }

// PasskeySaved is what was done just now.
type PasskeySaved string

// What was done.
const (
	PasskeyAdded   PasskeySaved = "added"
	PasskeyRenamed PasskeySaved = "renamed"
	PasskeyGone    PasskeySaved = "gone"
)

// Passkeys shows the passkeys of an account, and makes another.
type Passkeys struct {
	Keys      []Passkey
	Make      *PasskeyAsk // nil: none is made now
	StepUpURL string      // where it is made possible; empty: it is, or is not
	Shared    bool        // the device is not the patient's: none is made on it
	Closed    bool        // the account may have none
	Full      bool        // it has as many as there may be
	Saved     PasskeySaved
	Signal    string // JSON that tells the device which passkeys there are; empty: not told
	Reference string // of one that was not taken
	Faults    []Fault
}

func (p Passkeys) keyed() bool { return p.Make != nil || p.Signal != "" }

func (Passkeys) template() string { return "passkeys" }

func (Passkeys) title(v *voice, _ *site) (string, error) { return v.plain("passkeys.title") }

func (p Passkeys) form() form { return form{back: accountAt, faults: p.Faults} }

// NameFault returns what is wrong with the name that was given to the passkey, or nil.
func (p Passkeys) NameFault(k Passkey) *Fault {
	for i := range p.Faults {
		if p.Faults[i].Field == k.NameID() {
			return &p.Faults[i]
		}
	}
	return nil
}

// SavedKey names the text of what was done.
func (p Passkeys) SavedKey() string { return "passkeys.saved-" + string(p.Saved) }

// PasskeyOffer offers to make a passkey, after a login.
type PasskeyOffer struct {
	Make *PasskeyAsk
	To   string // where the login was for
}

func (PasskeyOffer) keyed() bool { return true }

func (PasskeyOffer) template() string { return "passkey-offer" }

func (PasskeyOffer) title(v *voice, _ *site) (string, error) { return v.plain("passkey-offer.title") }

func (PasskeyOffer) form() form { return form{action: passkeysAt + "/offer"} }

// PasskeyRemove asks before a passkey is taken away.
type PasskeyRemove struct {
	Passkey Passkey
	Last    bool // nothing else is asked for beside the password
}

func (PasskeyRemove) template() string { return "passkey-remove" }

func (PasskeyRemove) title(v *voice, _ *site) (string, error) { return v.plain("passkey-remove.title") }

func (p PasskeyRemove) form() form {
	return form{action: p.Passkey.At() + "/remove", back: passkeysAt}
}

// PasskeyFault is why a passkey opened nothing.
type PasskeyFault string

// The faults.
const (
	PasskeyUnknown PasskeyFault = "unknown" // no account has it
	PasskeyLate    PasskeyFault = "late"    // it took too long, or the page was used before
	PasskeyIsOff   PasskeyFault = "off"     // there are two of it
	PasskeyRefused PasskeyFault = "refused" // its answer does not stand
)

var passkeyFaults = []PasskeyFault{PasskeyUnknown, PasskeyLate, PasskeyIsOff, PasskeyRefused}

// PasskeyFailed says that a passkey opened nothing, and what else does.
type PasskeyFailed struct {
	Why       PasskeyFault
	Again     string // where the patient starts again
	Signal    string // JSON that tells the device that nobody knows it; empty: not told
	Reference string
}

func (p PasskeyFailed) keyed() bool { return p.Signal != "" }

func (PasskeyFailed) template() string { return "passkey-failed" }

func (PasskeyFailed) title(v *voice, _ *site) (string, error) {
	return v.plain("passkey-failed.title")
}

// Key names the text of why.
func (p PasskeyFailed) Key() string { return "passkey-failed." + string(p.Why) }

// Reprove leads to a provider that must be asked again before a passkey opens anything.
type Reprove struct {
	Provider Provider
	URL      string
}

func (Reprove) template() string { return "reprove" }

func (p Reprove) title(v *voice, _ *site) (string, error) {
	return v.plain("reprove.title", "provider", p.Provider.Name.In(v.lang))
}
