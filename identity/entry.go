package identity

import (
	"fmt"
	"strings"
	"time"
)

// Standing is what the register says of an entry as a whole.
type Standing string

// The standings. The zero value is a living patient of the register's.
const (
	Living      Standing = ""
	Died        Standing = "died"
	Moved       Standing = "moved"       // registered elsewhere, or nowhere
	Superseded  Standing = "superseded"  // merged into another number
	Invalidated Standing = "invalidated" // the number is no longer anybody's
)

// Postcode is where a patient lives, without a gap and in capitals.
type Postcode struct{ personal }

// maxPostcode is the longest postcode of the United Kingdom without its gap.
const maxPostcode = 7

// ParsePostcode reads a postcode in any case, with or without gaps. Whether it
// exists, the register knows.
func ParsePostcode(s string) (Postcode, error) {
	s = strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, s))
	letter := func(b byte) bool { return b >= 'A' && b <= 'Z' }
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	n := len(s)
	if n < 5 || n > maxPostcode || !letter(s[0]) || !digit(s[n-3]) || !letter(s[n-2]) || !letter(s[n-1]) ||
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return Postcode{}, fmt.Errorf("postcode: wanted one such as CF10 1AA")
	}
	return Postcode{personal(s)}, nil
}

// Reveal returns the postcode without its gap.
func (p Postcode) Reveal() string { return string(p.personal) }

// IsZero reports whether there is no postcode.
func (p Postcode) IsZero() bool { return p.personal == "" }

// Entry is what the register of patients says of one of them. Every field but the
// number may be absent: for a protected patient, contacts and practice often are,
// and that is no mismatch.
type Entry struct {
	NHSNumber        NHSNumber // of the entry; another than was asked for where that one was superseded
	FamilyName       Name
	FormerFamilyName Name
	GivenName        Name
	BirthDate        BirthDate
	Mobile           Phone
	Landline         Phone
	Email            Email
	Postcode         Postcode
	Practice         string // ODS code of the GP practice
	Standing         Standing
	Protected        bool   // contacts are withheld, and nothing may be told
	GPAccountID      Secret // of the GP linkage details that the practice gives
	GPLinkageKey     Secret
}

// Contacts returns the contacts on the entry that a message can be sent to.
func (e Entry) Contacts() []Contact {
	var all []Contact
	for _, c := range []Contact{e.Email.Contact(), e.Mobile.Contact()} {
		if !c.IsZero() {
			all = append(all, c)
		}
	}
	return all
}

// Holds reports whether that contact stands on the entry.
func (e Entry) Holds(c Contact) bool {
	if c.IsZero() {
		return false
	}
	for _, held := range append(e.Contacts(), e.Landline.Contact()) {
		if held.Canonical() == c.Canonical() {
			return true
		}
	}
	return false
}

// AdultAge is the age from which an entry counts as that of somebody who may have
// an account of their own: the contact of a parent stands on the entries of the
// children too.
const AdultAge = 16

// LivingAdult reports whether the entry is that of a living person who is old
// enough for an account of their own.
func (e Entry) LivingAdult(at time.Time) bool {
	return e.Standing == Living && !e.BirthDate.IsZero() && e.BirthDate.AgeOn(at) >= AdultAge
}
