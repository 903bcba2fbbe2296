package identity

import (
	"strings"
	"unicode"
)

// NumberRange is whose numbers those are that begin as a number does: the
// countries share ten digits and one check digit (NHS Data Model and Dictionary,
// "NHS number").
type NumberRange string

// The ranges. The zero value is that of no number.
const (
	EnglandWales    NumberRange = "england-wales"    // with the Isle of Man: 4, 6 and 7
	ScotlandCHI     NumberRange = "scotland"         // Community Health Index, a day of birth in front
	NorthernIreland NumberRange = "northern-ireland" // Health and Care Number: 32 to 39
	Ireland         NumberRange = "ireland"          // Individual Health Identifier: 80 to 85
	TestNumbers     NumberRange = "test"             // 9, never given to anybody
	Unissued        NumberRange = "unissued"
)

// Range returns whose numbers those are that begin as n does.
func (n NHSNumber) Range() NumberRange {
	between := func(low, high string) bool { return n.Reveal() >= low && n.Reveal() <= high }
	switch {
	case n.IsZero():
		return ""
	case between("0100000000", "3112999999"):
		return ScotlandCHI
	case between("3200000000", "3999999999"):
		return NorthernIreland
	case between("4000000000", "4999999999"), between("6000000000", "7999999999"):
		return EnglandWales
	case between("8000000000", "8599999999"):
		return Ireland
	case between("9000000000", "9999999999"):
		return TestNumbers
	}
	return Unissued
}

// NumberFault is what is wrong with the form of what somebody typed as their NHS
// number, so that a page can say it exactly. The zero value is nothing.
type NumberFault string

// The faults.
const (
	NumberMissing           NumberFault = "missing"            // nothing was typed
	NumberTooShort          NumberFault = "too-short"          // fewer than ten digits
	NumberTooLong           NumberFault = "too-long"           // more than ten
	NumberNotDigits         NumberFault = "not-digits"         // letters or signs among them
	NumberForeignDigits     NumberFault = "foreign-digits"     // digits of another script than ours
	NumberNationalInsurance NumberFault = "national-insurance" // such as QQ 12 34 56 C
	NumberCheckDigit        NumberFault = "check-digit"        // a digit is wrong, or two changed places
	NumberRepeated          NumberFault = "repeated"           // one digit ten times, whose check digit always matches
	NumberScotland          NumberFault = "scotland"           // a CHI number
	NumberNorthernIreland   NumberFault = "northern-ireland"   // a Health and Care Number
	NumberIreland           NumberFault = "ireland"            // an Individual Health Identifier
	NumberUnissued          NumberFault = "unissued"           // nobody's
)

// ofRange is the fault of a number that is whole but not one of England and Wales.
// Test numbers have none: whether they may be used is a setting.
var ofRange = map[NumberRange]NumberFault{
	ScotlandCHI: NumberScotland, NorthernIreland: NumberNorthernIreland, Ireland: NumberIreland, Unissued: NumberUnissued,
}

// CheckNHSNumber reads what somebody typed or pasted, with gaps and dashes of any
// kind, and returns the number, or no number and the one thing to tell them. It
// knows forms only: whether the number is anybody's, the register knows.
func CheckNHSNumber(s string) (NHSNumber, NumberFault) {
	typed := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
	if fault := formFault(typed); fault != "" {
		return NHSNumber{}, fault
	}
	n, err := ParseNHSNumber(typed)
	if err != nil {
		return NHSNumber{}, NumberCheckDigit
	}
	if strings.Count(typed, typed[:1]) == nhsNumberDigits {
		return NHSNumber{}, NumberRepeated
	}
	if fault := ofRange[n.Range()]; fault != "" {
		return NHSNumber{}, fault
	}
	return n, ""
}

// formFault tells what is wrong before there are ten digits to judge.
func formFault(typed string) NumberFault {
	isOurs := func(r rune) bool { return r >= '0' && r <= '9' }
	switch {
	case typed == "":
		return NumberMissing
	case isNationalInsurance(typed):
		return NumberNationalInsurance
	case strings.ContainsFunc(typed, func(r rune) bool { return !unicode.IsDigit(r) }):
		return NumberNotDigits
	case strings.ContainsFunc(typed, func(r rune) bool { return !isOurs(r) }):
		return NumberForeignDigits
	case len(typed) < nhsNumberDigits:
		return NumberTooShort
	case len(typed) > nhsNumberDigits:
		return NumberTooLong
	}
	return ""
}

// isNationalInsurance reports whether the text has the shape of a National
// Insurance number: two letters, six digits and, where it was not left out, a
// letter.
func isNationalInsurance(typed string) bool {
	shape := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return 'A'
		case r >= '0' && r <= '9':
			return '9'
		}
		return '?'
	}, typed)
	return shape == "AA999999A" || shape == "AA999999"
}
