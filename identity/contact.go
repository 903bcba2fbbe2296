package identity

import (
	"strings"
)

// Channel is a way to send a message: to a patient, or to a portal about one.
type Channel string

// The channels.
const (
	ByEmail Channel = "email"
	BySMS   Channel = "sms"
)

const portalMark = "portal:"

// ToPortal is the channel of that portal, which has it to itself: one that does not
// answer holds up no other.
func ToPortal(id string) Channel { return Channel(portalMark + id) }

// Portal returns the id of the portal whose channel it is; false for a patient's.
func (c Channel) Portal() (id string, ok bool) { return strings.CutPrefix(string(c), portalMark) }

// PortalContact is the portal as one that messages go to.
func PortalContact(id string) Contact { return Contact{ToPortal(id), personal(id)} }

// Contact is one address of a patient on one channel. The zero value is no
// contact.
type Contact struct {
	Channel Channel
	personal
}

// Contact returns the address as a contact.
func (e Email) Contact() Contact {
	if e.IsZero() {
		return Contact{}
	}
	return Contact{ByEmail, e.personal}
}

// Contact returns the number as a contact for texts.
func (p Phone) Contact() Contact {
	if p.IsZero() {
		return Contact{}
	}
	return Contact{BySMS, personal(p.Canonical())}
}

// Reveal returns the address as it is written on the envelope: an e-mail address
// as given, a number in the form of E.164.
func (c Contact) Reveal() string { return string(c.personal) }

// Address returns the form that equality on its channel is asked of.
func (c Contact) Address() string { return strings.ToLower(c.Reveal()) }

// Canonical returns the form that equality is asked of, its channel in front.
func (c Contact) Canonical() string {
	if c.IsZero() {
		return ""
	}
	return string(c.Channel) + ":" + c.Address()
}

// IsZero reports whether there is no contact.
func (c Contact) IsZero() bool { return c.personal == "" }

// Canonical returns a number of the United Kingdom in the form of E.164, however
// it was written: 07700 900123, 0044 7700 900123 and +44 (0)7700 900123 are one
// number. A number that is not of the United Kingdom stays as it is.
func (p Phone) Canonical() string {
	n := p.Reveal()
	if rest, found := strings.CutPrefix(n, "00"); found {
		n = "+" + rest
	}
	switch {
	case strings.HasPrefix(n, "+440"):
		return "+44" + n[len("+440"):]
	case strings.HasPrefix(n, "0"):
		return "+44" + n[1:]
	case strings.HasPrefix(n, "+"):
		return n
	case strings.HasPrefix(n, "44") && len(n) == len("447700900123"):
		return "+" + n
	}
	return n
}

// crown are the mobile ranges of Jersey, Guernsey and the Isle of Man inside +44:
// calls there cost, and divert, like those abroad (Ofcom, National Telephone
// Numbering Plan, Part A).
var crown = []string{
	"+447509", "+447797", "+447829", "+447937", "+447700", // Jersey; 07700 900 is Ofcom's, for fiction
	"+447781", "+447839", "+447911", // Guernsey
	"+447457", "+447524", "+447624", "+447924", // Isle of Man
}

// fiction is the range that no telephone has (Ofcom, numbers for drama use).
const fiction = "+447700900"

// UKMobile reports whether texts to the number cost what a text within the United
// Kingdom costs: a mobile number, no pager (076), no personal number (070), and
// none of the Crown dependencies, where a sender can be made to pay.
func (p Phone) UKMobile() bool {
	n := p.Canonical()
	if len(n) != len("+447700900123") || !strings.HasPrefix(n, "+447") || strings.Trim(n[1:], "0123456789") != "" {
		return false
	}
	if n[4] == '0' || n[4] == '6' {
		return false
	}
	if strings.HasPrefix(n, fiction) {
		return true
	}
	for _, prefix := range crown {
		if strings.HasPrefix(n, prefix) {
			return false
		}
	}
	return true
}
