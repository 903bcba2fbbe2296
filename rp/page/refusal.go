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
)

// Kinds returns every kind of refusal, for tests that go through all pages.
func Kinds() []Kind {
	return []Kind{
		ConsentNotGiven, AccessDenied, LoginRequired, TemporarilyUnavailable, ProviderOther, ProviderDown, TooLate, Acting,
		UnderAge, Disabled, OtherPerson, Unproved, PortalBadClient, PortalBadRedirect, LevelUnmet, CookiesOff, SessionEnded, NotFound,
		MethodNotAllowed, BadRequest, Forbidden, Internal, Unavailable, TooMany,
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
	From       time.Time // under-age: the day on which the patient is old enough; zero: not known
}

func (Refusal) template() string { return "refusal" }

func (r Refusal) title(v *voice, s *site) (string, error) {
	return v.plain(r.key("title"), r.fill(v, s)...)
}

func (r Refusal) key(part string) string { return "refusal." + string(r.Kind) + "." + part }

// fill returns a value for every hole that a text of refusal may have.
func (r Refusal) fill(v *voice, s *site) []string {
	pairs := []string{"service", r.Portal.In(v.lang), "provider", r.Provider.In(v.lang), "date", ""}
	if pairs[1] == "" {
		pairs[1] = s.Organisation.Name.In(v.lang)
	}
	if pairs[3] == "" {
		pairs[3], _ = v.plain("provider.unknown") // check has seen it
	}
	if !r.From.IsZero() {
		pairs[5] = v.day(r.From)
	}
	return pairs
}

// why says the reason of a refusal.
func (v *voice) why(s *site, r Refusal) (template.HTML, error) {
	key := r.key("why")
	if r.Kind == UnderAge && r.From.IsZero() {
		key = r.key("why-undated")
	}
	return v.html(key, r.fill(v, s)...)
}

// now says what a refused patient can do.
func (v *voice) now(s *site, r Refusal) (template.HTML, error) {
	return v.html(r.key("now"), r.fill(v, s)...)
}
