package page

import (
	"html/template"
	"time"
)

// Kind is why a patient is refused. Each has its own title, reason and way
// forward.
type Kind string

// The kinds of refusal.
const (
	ConsentNotGiven        Kind = "consent-not-given"       // the patient did not agree to share with us what the provider knows
	AccessDenied           Kind = "access-denied"           // the provider refused, or the patient stopped
	LoginRequired          Kind = "login-required"          // the provider would have had to ask the patient, and was told not to
	TemporarilyUnavailable Kind = "temporarily-unavailable" // the provider says that it cannot serve now
	ProviderOther          Kind = "provider-other"          // any other answer of the provider, or one that failed our checks
	ProviderDown           Kind = "provider-down"           // the provider cannot be reached
	TooLate                Kind = "too-late"                // the attempt has expired, was used, or belongs to another browser
	Acting                 Kind = "acting"                  // the token speaks of two people
	UnderAge               Kind = "under-age"               // younger than this service admits
	Disabled               Kind = "disabled"                // the account is disabled or deleted
	OtherPerson            Kind = "other-person"            // the provider's answer is not the person whose session began it
	NotLinked              Kind = "not-linked"              // the provider's answer was not linked to the account that asked for it
	OtherAccount           Kind = "other-account"           // both accounts are the patient's own, and become one from the other side only
	Unproved               Kind = "unproved"                // the vector reached is not one that was asked for
	PortalBadClient        Kind = "portal-bad-client"       // an authorization request from an unknown portal
	PortalBadRedirect      Kind = "portal-bad-redirect"     // an authorization request with an address that is not the portal's
	LevelUnmet             Kind = "level-unmet"             // logged in, but no login can reach what is asked
	CookiesOff             Kind = "cookies-off"             // the browser keeps no cookies
	SessionEnded           Kind = "session-ended"           // the session ended by time, or elsewhere
	NotFound               Kind = "not-found"               // 404
	MethodNotAllowed       Kind = "method"                  // 405
	BadRequest             Kind = "bad-request"             // 400
	Forbidden              Kind = "forbidden"               // 403: a post from another site
	Internal               Kind = "internal"                // 500
	Unavailable            Kind = "unavailable"             // 503
	TooMany                Kind = "too-many"                // 429
	Busy                   Kind = "busy"                    // 503: too many people log in at once
	SignUpClosed           Kind = "sign-up-closed"          // nobody can sign up here
	CodeLimit              Kind = "code-limit"              // 429: too many codes were asked for, or were wrong
	ChannelOff             Kind = "channel-off"             // 503: what is needed now can't be sent
	NumberInvalidated      Kind = "number-invalidated"      // the register no longer knows the NHS number; log-in and account stay
	LinkOver               Kind = "link-over"               // a mailed link that is old, used or unknown; which, nobody is told
)

// Kinds returns every kind of refusal, for tests that go through all pages.
func Kinds() []Kind {
	return []Kind{
		ConsentNotGiven, AccessDenied, LoginRequired, TemporarilyUnavailable, ProviderOther, ProviderDown, TooLate, Acting,
		UnderAge, Disabled, OtherPerson, NotLinked, OtherAccount, Unproved, PortalBadClient, PortalBadRedirect, LevelUnmet, CookiesOff, SessionEnded, NotFound,
		MethodNotAllowed, BadRequest, Forbidden, Internal, Unavailable, TooMany,
		Busy, SignUpClosed, CodeLimit, ChannelOff, NumberInvalidated, LinkOver,
	}
}

// Refusal is the page that says no. It always shows where urgent help is, and the
// frame's reference. Text that came from outside is never on it.
type Refusal struct {
	Kind       Kind
	Provider   Words     // the provider concerned; none: a general word
	Portal     Words     // the portal that waits; none: the organisation's name stands for the service
	StartAgain string    // where to start again; empty: not offered
	Return     string    // the waiting portal's own address; empty: not offered
	From       time.Time // under-age: the day on which the patient is old enough; code-limit: when codes work again; zero: not known
}

func (Refusal) template() string { return "refusal" }

func (r Refusal) title(v *voice, s *site) (string, error) {
	fill, err := r.fill(v, s)
	if err != nil {
		return "", err
	}
	return v.plain(r.key("title"), fill...)
}

func (r Refusal) key(part string) string { return "refusal." + string(r.Kind) + "." + part }

// fill returns a value for every hole that a text of refusal may have.
func (r Refusal) fill(v *voice, s *site) ([]string, error) {
	pairs := []string{"service", r.Portal.In(v.lang), "provider", r.Provider.In(v.lang), "date", "", "phone", s.Organisation.Help.Phone}
	if pairs[1] == "" {
		pairs[1] = s.Organisation.Name.In(v.lang)
	}
	var err error
	if pairs[3] == "" {
		if pairs[3], err = v.plain("provider.unknown"); err != nil {
			return nil, err
		}
	}
	switch {
	case r.From.IsZero():
	case r.Kind == UnderAge: // a day of the calendar, the same in every zone
		pairs[5] = v.day(r.From)
	default:
		pairs[5], err = v.moment(r.From)
	}
	return pairs, err
}

// variants are the kinds with a second text for where a value is missing, by the
// part that has it.
var variants = map[Kind]struct{ part, without string }{
	UnderAge:          {"why", "why-undated"},
	CodeLimit:         {"now", "now-undated"},
	NumberInvalidated: {"now", "now-unphoned"},
}

// say gives one part of a refusal's words.
func (r Refusal) say(v *voice, s *site, part string) (template.HTML, error) {
	missing := r.From.IsZero()
	if r.Kind == NumberInvalidated {
		missing = s.Organisation.Help.Phone == ""
	}
	if second, has := variants[r.Kind]; has && second.part == part && missing {
		part = second.without
	}
	fill, err := r.fill(v, s)
	if err != nil {
		return "", err
	}
	return v.html(r.key(part), fill...)
}

// why says the reason of a refusal.
func (v *voice) why(s *site, r Refusal) (template.HTML, error) { return r.say(v, s, "why") }

// now says what a refused patient can do.
func (v *voice) now(s *site, r Refusal) (template.HTML, error) { return r.say(v, s, "now") }
