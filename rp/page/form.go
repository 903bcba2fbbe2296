package page

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that is wrong with what a patient gave. It is told twice: in
// the summary at the head of the page, and at the field.
type Fault struct {
	Field string    // the name of the input; "bday" is a date as a whole
	Key   string    // one of [FaultKeys]
	Until time.Time // of [FaultWait] and [FaultLocked]: when it is over; zero: not told
}

// The faults that tell how long they last.
const (
	FaultWait   = "fault.code-wait" // a code was sent a moment ago
	FaultLocked = "fault.locked"    // too many wrong passwords
)

// faultKeys are the faults that have a sentence. What was typed is in none of
// them, and none of them tells whether an account exists.
var faultKeys = []string{
	"fault.old-enough", "fault.device", "fault.email", "fault.phone", "fault.phone-not-uk-mobile", "fault.helpers-contact",
	"fault.same-email", "fault.same-phone",
	"fault.given-name", "fault.family-name",
	"fault.birth-date-empty", "fault.birth-date", "fault.birth-date-future",
	"fault.birth-date-day", "fault.birth-date-month", "fault.birth-date-year",
	"fault.nhs-number-missing", "fault.nhs-number-too-short", "fault.nhs-number-too-long", "fault.nhs-number-not-digits",
	"fault.nhs-number-foreign-digits", "fault.nhs-number-national-insurance", "fault.nhs-number-check-digit", "fault.nhs-number-repeated",
	"fault.nhs-number-scotland", "fault.nhs-number-northern-ireland", "fault.nhs-number-ireland", "fault.nhs-number-unissued",
	"fault.nhs-number-test-range",
	"fault.postcode",
	"fault.code-empty", "fault.code-malformed", "fault.code-wrong", "fault.code-expired", "fault.code-spent", "fault.code-none", FaultWait,
	"fault.card-code", "fault.card-code-empty", "fault.app-code", "fault.way",
	"fault.handed-empty", "fault.handed-wrong", "fault.handed-expired", "fault.handed-spent", "fault.handed-conflict",
	"fault.password-empty", "fault.password-too-short", "fault.password-too-long", "fault.password-common", "fault.password-context",
	"fault.recovery-code", "fault.why", "fault.passkey-name", "fault.gp-account-id", "fault.gp-linkage-key", "fault.linkage",
	"fault.credentials", FaultLocked, "fault.busy",
}

// FaultKeys returns the key of every fault that can be told, for tests of those
// who tell them.
func FaultKeys() []string { return slices.Clone(faultKeys) }

// Progress is where a patient stands in a journey; the zero value shows nothing.
type Progress struct{ Step, Of int }

// DateTyped is a date as it was typed in three fields.
type DateTyped struct{ Day, Month, Year string }

// form is what a page with a form tells its frame.
type form struct {
	action   string // where the form is posted
	back     string // where the link back leads; empty: none
	progress Progress
	faults   []Fault
}

// formed is a [Content] with a form. With faults, its title begins with "Error:",
// so that a screen reader says so first.
type formed interface{ form() form }

func (s scene) form() form {
	if f, ok := s.Page.(formed); ok {
		return f.form()
	}
	return form{}
}

// Faulty reports whether the page shows errors of input.
func (s scene) Faulty() bool { return len(s.form().faults) > 0 }

// Faults returns what is wrong with what was given, in the order of the fields.
func (s scene) Faults() []Fault { return s.form().faults }

// Action returns where the page's form is posted.
func (s scene) Action() string { return s.form().action }

// Back returns where the link back leads, or nothing.
func (s scene) Back() string { return s.form().back }

// Progress returns where the patient stands, or nothing.
func (s scene) Progress() *Progress {
	if p := s.form().progress; p.Of > 0 {
		return &p
	}
	return nil
}

// Anchor returns the id of the input that a fault is about.
func (f Fault) Anchor() string {
	if f.Field == birthDate {
		return birthDate + "-day"
	}
	return f.Field
}

// at returns the fault of that field, or nil.
func (f form) at(field string) *Fault {
	for i := range f.faults {
		if f.faults[i].Field == field {
			return &f.faults[i]
		}
	}
	return nil
}

// told says what is wrong.
func (v *voice) told(f Fault) (template.HTML, error) {
	if !slices.Contains(faultKeys, f.Key) {
		return "", fmt.Errorf("fault: wanted one of those that have words, got %.64q", f.Key)
	}
	if f.Until.IsZero() || f.Key != FaultWait && f.Key != FaultLocked {
		return v.html(f.Key)
	}
	clock, err := v.clock(f.Until)
	if err != nil {
		return "", err
	}
	return v.html(f.Key+"-until", "time", clock)
}

func (v *voice) toldAt(s scene, field string) (template.HTML, error) {
	f := s.form().at(field)
	if f == nil {
		return "", nil
	}
	return v.told(*f)
}

// input is a field of a form as its template sees it.
type input struct {
	Name  string
	Type  string // empty: text
	Auto  string // the autocomplete token (WCAG 1.3.5)
	Mode  string // inputmode
	Caps  string // autocapitalize
	Class string
	Value string

	ID      string
	Label   template.HTML // empty: the heading is the label
	Heading string        // the page's
	Hint    template.HTML
	Fault   template.HTML
}

// inputs are the fields of all forms. An input has no maxlength and no pattern:
// what is typed or pasted is judged as a whole, and told in words.
var inputs = map[string]input{
	"email":           {Name: "email", Type: "email", Auto: "email"},
	"login":           {Name: "email", Type: "email", Auto: "username webauthn"},
	"phone":           {Name: "phone", Type: "tel", Auto: "tel", Class: "nhsuk-u-width-two-thirds"},
	"given_name":      {Name: "given_name", Auto: "given-name"},
	"family_name":     {Name: "family_name", Auto: "family-name"},
	"nhs_number":      {Name: "nhs_number", Auto: "off", Mode: "numeric", Class: "nhsuk-input--code nhsuk-input--width-10"},
	"postcode":        {Name: "postcode", Auto: "postal-code", Caps: "characters", Class: "nhsuk-u-width-one-third"},
	"code":            {Name: "code", Auto: "one-time-code", Mode: "numeric", Class: "nhsuk-input--code nhsuk-input--width-10"},
	"card_code":       {Name: "card_code", Auto: "one-time-code", Caps: "characters", Class: "nhsuk-input--code nhsuk-input--width-10 dilys-long-code"},
	"gp_account_id":   {Name: "gp_account_id", Auto: "off", Caps: "none", Class: "nhsuk-u-width-two-thirds"},
	"gp_linkage_key":  {Name: "gp_linkage_key", Auto: "off", Caps: "none", Class: "nhsuk-u-width-two-thirds"},
	"recovery_code":   {Name: "recovery_code", Auto: "one-time-code", Caps: "characters", Class: "nhsuk-input--code nhsuk-input--width-10 dilys-long-code"},
	"activation_code": {Name: "activation_code", Auto: "one-time-code", Caps: "characters", Class: "nhsuk-input--code nhsuk-input--width-10 dilys-long-code"},
	"helper_email":    {Name: "helper_email", Type: "email", Auto: "off"},
	"helper_phone":    {Name: "helper_phone", Type: "tel", Auto: "off", Class: "nhsuk-u-width-two-thirds"},
	"password":        {Name: "password", Auto: "current-password"},
	"new-password":    {Name: "password", Auto: "new-password"},
}

// input puts together one of [inputs]. Without a label, the heading of the page
// stands as its label.
func (v *voice) input(s scene, kind string, label, hint template.HTML, value string) (input, error) {
	in, known := inputs[kind]
	if !known {
		return in, fmt.Errorf("input: wanted a known kind, got %q", kind)
	}
	var err error
	in.ID, in.Label, in.Heading, in.Hint, in.Value = in.Name, label, s.Title, hint, value
	in.Fault, err = v.toldAt(s, in.Name)
	return in, err
}

// Describes returns the ids of what describes the input, or nothing.
func (i input) Describes() string { return describes(i.ID, i.Hint, i.Fault) }

func describes(id string, hint, fault template.HTML) string {
	var ids []string
	if hint != "" {
		ids = append(ids, id+"-hint")
	}
	if fault != "" {
		ids = append(ids, id+"-error")
	}
	return strings.Join(ids, " ")
}

// choice is one of several, or a tick box of its own.
type choice struct {
	ID      string
	Name    string
	Value   string
	Label   template.HTML
	Hint    template.HTML
	Checked bool
	Reveals string // the id of what belongs to it; hidden by script until it is chosen
}

// choose makes one choice of a group.
func choose(value string, label, hint template.HTML, checked bool) choice {
	return choice{Value: value, Label: label, Hint: hint, Checked: checked}
}

// chooseIf makes one choice of a group, which is left out unless the patient has it.
func chooseIf(there bool, value string, label, hint template.HTML, checked bool) choice {
	if !there {
		return choice{}
	}
	return choose(value, label, hint, checked)
}

// tick makes a tick box whose value is yes.
func tick(name string, label, hint template.HTML, checked bool, reveals string) choice {
	return choice{ID: name, Name: name, Value: "yes", Label: label, Hint: hint, Checked: checked, Reveals: reveals}
}

// group is a question with choices.
type group struct {
	ID      string
	Legend  template.HTML // empty: the heading is the question
	Heading string        // the page's
	Hint    template.HTML
	Fault   template.HTML
	Items   []choice
}

// radios puts together a question of which one answer is chosen. A choice without a
// value is left out.
func (v *voice) radios(s scene, name string, legend, hint template.HTML, items ...choice) (group, error) {
	items = slices.DeleteFunc(items, func(c choice) bool { return c.Value == "" })
	for i := range items {
		items[i].Name, items[i].ID = name, name
		if i > 0 {
			items[i].ID += "-" + strconv.Itoa(i+1)
		}
	}
	fault, err := v.toldAt(s, name)
	return group{name, legend, s.Title, hint, fault, items}, err
}

// Describes returns the ids of what describes the question, or nothing.
func (g group) Describes() string { return describes(g.ID, g.Hint, g.Fault) }

// birthDate names the three fields of a date of birth, and the whole of them.
const birthDate = "bday"

// date is a date of birth in three fields.
type date struct {
	ID      string
	Legend  template.HTML // empty: the heading is the question
	Heading string        // the page's
	Hint    template.HTML
	Fault   template.HTML
	Parts   []datePart
}

// datePart is one field of a date.
type datePart struct {
	Name, Value, Class string
	Label              template.HTML
	Wrong              bool
}

// dates puts together the three fields of a date of birth.
func (v *voice) dates(s scene, legend, hint template.HTML, typed DateTyped) (date, error) {
	d := date{ID: birthDate, Legend: legend, Heading: s.Title, Hint: hint}
	f := s.form()
	wrong := f.at(birthDate)
	for _, p := range []struct{ part, key, value, width string }{
		{"day", "form.day", typed.Day, "2"}, {"month", "form.month", typed.Month, "2"}, {"year", "form.year", typed.Year, "4"},
	} {
		label, err := v.html(p.key)
		if err != nil {
			return d, err
		}
		name := birthDate + "-" + p.part
		alone := f.at(name)
		d.Parts = append(d.Parts, datePart{name, p.value, "nhsuk-input--width-" + p.width, label, f.at(birthDate) != nil || alone != nil})
		if wrong == nil {
			wrong = alone
		}
	}
	if wrong == nil {
		return d, nil
	}
	var err error
	d.Fault, err = v.told(*wrong)
	return d, err
}

// Describes returns the ids of what describes the date, or nothing.
func (d date) Describes() string { return describes(d.ID, d.Hint, d.Fault) }

// or returns the first that is not empty: an address, else its default.
func or(address, otherwise string) string {
	if address != "" {
		return address
	}
	return otherwise
}

// waiting returns the hidden fields that say where a login or a sign-up is for.
func waiting(request, to, device string) []Field {
	var fields []Field
	for _, f := range []Field{{"request", request}, {"return", to}, {"device", device}} {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	return fields
}
