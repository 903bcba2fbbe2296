package page

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/dossier"
)

const leaveAt = accountAt + "/delete"

// leaveReasons are what a patient may say of why they leave; saying nothing is one.
var leaveReasons = []string{"not-needed", "other-way", "privacy", "too-hard", "unsaid"}

// LeaveReasons returns the words that may be posted as `why`.
func LeaveReasons() []string { return append([]string{}, leaveReasons...) }

// Leave asks before an account begins to close (`why`), and says afterwards when it
// does.
type Leave struct {
	Done   bool
	Closes time.Time // of Done
	Faults []Fault
}

func (Leave) template() string { return "leave" }

func (p Leave) title(v *voice, _ *site) (string, error) {
	if p.Done {
		return v.plain("leave.done-title")
	}
	return v.plain("leave.title")
}

func (p Leave) form() form {
	if p.Done {
		return form{}
	}
	return form{action: leaveAt, back: accountAt, faults: p.Faults}
}

// Reasons are the choices of why.
func (Leave) Reasons() []string { return leaveReasons }

// ReasonKey names the text of one.
func (Leave) ReasonKey(why string) string { return "leave.why-" + why }

// Export is what is kept of the patient, to read and to print.
type Export struct {
	Made     time.Time
	Held     []Kept
	Factors  []dossier.Factor
	Browsers []dossier.Browser
	Places   []dossier.Session
	Changes  []dossier.Change
	Events   []Event // that have a sentence; the file has all
	JSON     string  // where everything is had as a file
}

// Kept is what one source said of the patient.
type Kept struct {
	Details identity.Details
	Level   identity.Proofing
	From    Words // the provider; none: it was here
	First   time.Time
	Last    time.Time
}

func (Export) template() string { return "export" }

func (Export) title(v *voice, _ *site) (string, error) { return v.plain("export.title") }

func (Export) form() form { return form{back: accountAt} }

// FullName returns given and family name as far as they are known.
func (k Kept) FullName() string { return fullName(k.Details) }

// NHSNumber returns the number in groups where it may be shown, as on [Account].
func (k Kept) NHSNumber() string { return shownNumber(k.Level, k.Details) }

// Phone returns the number as people read it.
func (k Kept) Phone() string { return readable(k.Details.Phone) }

// FactorKey names the text of a kind of factor.
func (Export) FactorKey(kind string) string { return "export.factor-" + kind }

// LevelKey names the text of how sure a level is.
func (Export) LevelKey(level string) string { return "export.level-" + level }
