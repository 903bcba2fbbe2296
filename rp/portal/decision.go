package portal

import (
	"net/url"

	"github.com/dilys-id/dilys/identity/session"
)

// Seat is the browser that a request came in.
type Seat struct {
	Session *session.Session // if it has a live one

	// Navigation says that the browser's own window asked for this, by a click, a
	// form or a redirect. What an image, a frame or a script asks for renews
	// nothing and ends nothing.
	Navigation bool

	// Elsewhere says that the session's login was not made for the request that is
	// resumed, so that one for it may still be enough.
	Elsewhere bool

	// Confirmed says that the patient pressed the button of [AskLogout]'s page: a
	// POST from our own origin.
	Confirmed bool
}

// Kind is what a browser is to get.
type Kind uint8

// The kinds of decision.
const (
	Refuse      Kind = iota + 1 // a page that says why; never a redirect
	Redirect                    // to the portal, with a code or an error
	Login                       // a login, after which the request is resumed
	AskLogout                   // a page that asks before it ends the session
	LoggedOut                   // the session is over: clear the browser, show the page
	LoggedOutTo                 // likewise, and then back to the portal
)

// Refusal is why a browser is shown a page of ours instead of the portal.
type Refusal string

// The refusals.
const (
	BadClient   Refusal = "portal-bad-client"   // no such portal
	BadRedirect Refusal = "portal-bad-redirect" // not that portal's address
	BadRequest  Refusal = "bad-request"         // not to be read
	TooLate     Refusal = "too-late"            // the request expired, or has had its answer
)

// Decision is what a browser gets.
type Decision struct {
	Kind    Kind
	Refusal Refusal // of Refuse
	Cause   string  // the rule that decided, in a word for log and audit; empty: nothing was refused

	// URL is where Redirect and LoggedOutTo lead, parameters and all. With Refuse
	// and LoggedOut it is an address of the portal to offer, or nothing.
	URL string

	Portal   *Portal // the one that asks; nil: not known
	Request  string  // of Login: the id to resume
	Waiting  Waiting // of Login
	Language string  // the first of ui_locales that we speak; empty: none was asked for
	Session  string  // of LoggedOut and LoggedOutTo: the handle that was ended; empty: there was none

	// Fields are the checked parameters that the page of AskLogout posts back.
	Fields url.Values
}

func refusal(why Refusal, cause string) Decision {
	return Decision{Kind: Refuse, Refusal: why, Cause: cause}
}
