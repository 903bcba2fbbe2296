package identity

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// personal is a value of a patient that cannot be printed by accident. The types
// over it differ in what they accept and how they compare.
type personal string

// String shows REDACTED.
func (personal) String() string { return redacted }

// Format shows REDACTED for every verb.
func (personal) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue shows REDACTED.
func (personal) LogValue() slog.Value { return slog.StringValue(redacted) }

// NHSNumber is a patient's NHS number in its canonical form, ten digits. The zero
// value is no number.
type NHSNumber struct{ personal }

// nhsNumberDigits is the length of an NHS number.
const nhsNumberDigits = 10

// ParseNHSNumber reads an NHS number as people write it, with spaces or hyphens,
// and checks its check digit (modulus 11, weights 10 to 2). Numbers of any range
// pass; which ranges a door admits is that door's rule.
func ParseNHSNumber(s string) (NHSNumber, error) {
	digits := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, s)
	if len(digits) != nhsNumberDigits || strings.Trim(digits, "0123456789") != "" {
		return NHSNumber{}, fmt.Errorf("nhs number: wanted %d digits", nhsNumberDigits)
	}
	sum := 0
	for i := range nhsNumberDigits - 1 {
		sum += int(digits[i]-'0') * (nhsNumberDigits - i)
	}
	if (11-sum%11)%11 != int(digits[9]-'0') { // a check of 10 equals no digit
		return NHSNumber{}, fmt.Errorf("nhs number: wanted a matching check digit")
	}
	return NHSNumber{personal(digits)}, nil
}

// Reveal returns the ten digits.
func (n NHSNumber) Reveal() string { return string(n.personal) }

// Spaced returns the number as people read it, 3-3-4, or nothing.
func (n NHSNumber) Spaced() string {
	if n.IsZero() {
		return ""
	}
	v := n.Reveal()
	return v[:3] + " " + v[3:6] + " " + v[6:]
}

// IsZero reports whether there is no number.
func (n NHSNumber) IsZero() bool { return n.personal == "" }

// Email is an e-mail address as its owner gave it. Two spellings that differ in
// case are one address here ([Email.Canonical]), though an account is never found
// by it alone.
type Email struct{ personal }

// maxEmail is the longest address that mail can carry (RFC 5321 §4.5.3.1.3).
const maxEmail = 254

// ParseEmail accepts an address with one @, something on both sides, and no
// space or control character. Whether it exists, only a code can tell.
func ParseEmail(s string) (Email, error) {
	s = strings.TrimSpace(s)
	local, domain, found := strings.Cut(s, "@")
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '@' }
	if !found || local == "" || domain == "" || len(s) > maxEmail || !utf8.ValidString(s) || strings.ContainsFunc(local+domain, bad) {
		return Email{}, fmt.Errorf("e-mail: wanted an address such as name@example.com")
	}
	return Email{personal(s)}, nil
}

// Reveal returns the address as given.
func (e Email) Reveal() string { return string(e.personal) }

// Canonical returns the form that equality is asked of.
func (e Email) Canonical() string { return strings.ToLower(e.Reveal()) }

// IsZero reports whether there is no address.
func (e Email) IsZero() bool { return e.personal == "" }

// Phone is a telephone number in the form of E.164 where its source gave one.
type Phone struct{ personal }

// maxPhone is the longest E.164 number with room for separators.
const maxPhone = 32

// ParsePhone accepts digits with an optional leading + and the separators people
// write, and keeps + and digits. It does not judge whether the number can be
// reached.
func ParsePhone(s string) (Phone, error) {
	var b strings.Builder
	for i, r := range strings.TrimSpace(s) {
		switch {
		case r >= '0' && r <= '9', r == '+' && i == 0:
			b.WriteRune(r)
		case strings.ContainsRune(" -().", r):
		default:
			return Phone{}, fmt.Errorf("phone: wanted digits with an optional leading +")
		}
	}
	if len(s) > maxPhone || len(strings.TrimPrefix(b.String(), "+")) < 5 {
		return Phone{}, fmt.Errorf("phone: wanted 5 to 15 digits")
	}
	return Phone{personal(b.String())}, nil
}

// Reveal returns the number.
func (p Phone) Reveal() string { return string(p.personal) }

// IsZero reports whether there is no number.
func (p Phone) IsZero() bool { return p.personal == "" }

// Name is a person's given or family name as its source wrote it.
type Name struct{ personal }

// maxName bounds a name in bytes; longer ones are a fault of their source.
const maxName = 512

// ParseName accepts any text without control characters, trimmed.
func ParseName(s string) (Name, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return Name{}, fmt.Errorf("name: wanted 1 to %d bytes of text", maxName)
	}
	return Name{personal(s)}, nil
}

// Reveal returns the name.
func (n Name) Reveal() string { return string(n.personal) }

// IsZero reports whether there is no name.
func (n Name) IsZero() bool { return n.personal == "" }

// BirthDate is a day in the Gregorian calendar. The zero value is unknown.
type BirthDate struct{ day time.Time }

// ParseBirthDate reads a date such as 2007-03-27 (RFC 3339 full-date, the form of
// the OpenID Connect birthdate claim).
func ParseBirthDate(s string) (BirthDate, error) {
	day, err := time.Parse(time.DateOnly, s)
	if err != nil || day.Year() < 1850 {
		return BirthDate{}, fmt.Errorf("birth date: wanted a date such as 2007-03-27")
	}
	return BirthDate{day}, nil
}

// Reveal returns the date as YYYY-MM-DD, or nothing.
func (b BirthDate) Reveal() string {
	if b.IsZero() {
		return ""
	}
	return b.day.Format(time.DateOnly)
}

// Day returns midnight UTC of the date, for pages that write it in words.
func (b BirthDate) Day() time.Time { return b.day }

// IsZero reports whether the date is unknown.
func (b BirthDate) IsZero() bool { return b.day.IsZero() }

// String shows REDACTED.
func (BirthDate) String() string { return redacted }

// Format shows REDACTED for every verb.
func (BirthDate) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue shows REDACTED.
func (BirthDate) LogValue() slog.Value { return slog.StringValue(redacted) }

// AgeOn returns the whole years lived on the day of at, in at's own time zone.
// Someone born on 29 February comes of age on 1 March in other years, as the law
// of England and Wales has it.
func (b BirthDate) AgeOn(at time.Time) int {
	y, m, d := at.Date()
	age := y - b.day.Year()
	if m < b.day.Month() || m == b.day.Month() && d < b.day.Day() {
		age--
	}
	return age
}

// Reaches returns midnight UTC of the day on which the patient is that many years
// old.
func (b BirthDate) Reaches(years int) time.Time {
	return time.Date(b.day.Year()+years, b.day.Month(), b.day.Day(), 0, 0, 0, 0, time.UTC)
}

// Details is what a source says of a patient. Every field may be absent: that is
// normal, and never a mismatch.
type Details struct {
	NHSNumber     NHSNumber
	GivenName     Name
	FamilyName    Name
	BirthDate     BirthDate
	Email         Email
	EmailVerified bool
	Phone         Phone
	PhoneVerified bool
}

// Changed names the fields in which next differs from d, in a fixed order: what
// an audit event may say of a refresh, without a value.
func (d Details) Changed(next Details) []string {
	var fields []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"nhs_number", d.NHSNumber == next.NHSNumber},
		{"given_name", d.GivenName == next.GivenName},
		{"family_name", d.FamilyName == next.FamilyName},
		{"birthdate", d.BirthDate == next.BirthDate},
		{"email", d.Email == next.Email && d.EmailVerified == next.EmailVerified},
		{"phone_number", d.Phone == next.Phone && d.PhoneVerified == next.PhoneVerified},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// Refreshed returns d with every field that next carries. What next leaves out
// stays: a provider leaves out what a login did not ask for.
func (d Details) Refreshed(next Details) Details {
	if !next.NHSNumber.IsZero() {
		d.NHSNumber = next.NHSNumber
	}
	if !next.GivenName.IsZero() {
		d.GivenName = next.GivenName
	}
	if !next.FamilyName.IsZero() {
		d.FamilyName = next.FamilyName
	}
	if !next.BirthDate.IsZero() {
		d.BirthDate = next.BirthDate
	}
	if !next.Email.IsZero() {
		d.Email, d.EmailVerified = next.Email, next.EmailVerified
	}
	if !next.Phone.IsZero() {
		d.Phone, d.PhoneVerified = next.Phone, next.PhoneVerified
	}
	return d
}

// AgeUnknown is the age of a patient whose birth date nobody gave.
const AgeUnknown = -1

// OfAnother reports whether both sides tell an NHS number, or a birth date, and not
// the same one. What one side leaves out differs from nothing.
func (d Details) OfAnother(other Details) bool {
	return !d.NHSNumber.IsZero() && !other.NHSNumber.IsZero() && d.NHSNumber != other.NHSNumber ||
		!d.BirthDate.IsZero() && !other.BirthDate.IsZero() && d.BirthDate != other.BirthDate
}

// Age returns the whole years lived at that instant in the United Kingdom's
// calendar day as at carries it, or [AgeUnknown].
func (d Details) Age(at time.Time) int {
	if d.BirthDate.IsZero() {
		return AgeUnknown
	}
	return d.BirthDate.AgeOn(at)
}

// OldEnough reports whether a patient of that age passes a door of that minimum.
// Zero asks nothing. An unknown age passes only where floor, the lowest level of
// proofing the door admits, is P0: proof without a birth date is not proof.
func OldEnough(age, minimum int, floor Proofing) bool {
	switch {
	case minimum == 0:
		return true
	case age == AgeUnknown:
		return floor == P0
	}
	return age >= minimum
}
