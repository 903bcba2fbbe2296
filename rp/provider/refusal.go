package provider

import (
	"fmt"

	"github.com/dilys-id/dilys/identity"
)

// Kind is what a refusal is to the patient: each has its own page.
type Kind string

// The kinds, beside [Down].
const (
	ConsentNotGiven        Kind = "consent-not-given"       // the patient did not agree to share
	AccessDenied           Kind = "access-denied"           // the provider or the patient said no
	LoginRequired          Kind = "login-required"          // the provider would have had to ask something
	SSOLoginRequired       Kind = "sso-login-required"      // the asserted identity did not carry: the button still works
	TemporarilyUnavailable Kind = "temporarily-unavailable" // the provider said so itself
	Acting                 Kind = "acting"                  // the token speaks of two people
	Unproved               Kind = "unproved"                // not proved as was asked
	BadToken               Kind = "bad-token"               // what came can't be believed
	Other                  Kind = "other"                   // anything else
)

// Refusal is a login that ends here. Nothing of it may be kept but the cause.
type Refusal struct {
	Kind  Kind
	Cause string // a word of ours for audit, one of those that [Explain] explains
	Err   error  // more for operators; nil, or a text without anything from outside
}

// Error says cause and detail, both words of ours.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return r.Cause
	}
	return fmt.Sprintf("%s: %v", r.Cause, r.Err)
}

// Unwrap returns the detail. Of a refusal of kind [Down] it wraps
// [identity.ErrUnavailable].
func (r *Refusal) Unwrap() error { return r.Err }

// refuse returns a refusal without detail.
func refuse(kind Kind, cause string) *Refusal { return &Refusal{Kind: kind, Cause: cause} }

// down returns the refusal of a login for which the provider could not be asked.
func down(cause string, err error) *Refusal {
	return &Refusal{Kind: Down, Cause: cause, Err: fmt.Errorf("%w: %w", identity.ErrUnavailable, err)}
}

// The causes. They are words of an interface that operators search by: one may be
// added, none may change its meaning.
const (
	causeDown = "provider-down"

	causeConsent        = "consent-not-given"
	causeDenied         = "access-denied"
	causeLogin          = "login-required"
	causeSSO            = "sso-login-required"
	causeUnavailable    = "temporarily-unavailable"
	causeServer         = "provider-error"
	causeRequest        = "request-not-accepted"
	causeUnknownError   = "unknown-error"
	causeNoCode         = "code-absent"
	causeOddCode        = "code-unreadable"
	causeCallbackIssuer = "callback-issuer-mismatch"
	causeCallbackNoIss  = "callback-issuer-absent"
	causeChallenge      = "attempt-of-another-provider"

	causeTokenEndpoint = "token-endpoint-unavailable"
	causeClient        = "client-not-accepted"
	causeCode          = "code-not-accepted"
	causeExchange      = "exchange-not-accepted"
	causeTokenAnswer   = "token-answer-unreadable"
	causeNoIDToken     = "id-token-absent"

	causeKeys      = "key-set-unavailable"
	causeSignature = "id-token-signature"
	causeKind      = "id-token-of-another-kind"
	causeClaims    = "id-token-unreadable"
	causeIssuer    = "issuer-mismatch"
	causeAudience  = "audience-mismatch"
	causeParty     = "authorized-party-mismatch"
	causeExpired   = "id-token-expired"
	causeExpiry    = "id-token-expiry-unfit"
	causeIssued    = "id-token-issue-time-unfit"
	causeNotYet    = "id-token-not-yet-valid"
	causeNonce     = "nonce-mismatch"
	causeSubject   = "subject-unfit"
	causeAtHash    = "access-token-mismatch"

	causeActing     = "acting-for-another"
	causeNoVector   = "vot-absent"
	causeVector     = "vot-not-asked"
	causeAboveLevel = "vot-above-level"
	causeNoLevel    = "level-absent"
	causeOddLevel   = "level-unreadable"
	causeNoACR      = "acr-absent"
	causeACR        = "acr-not-listed"

	causeUserinfo      = "userinfo-unavailable"
	causeUserinfoNo    = "userinfo-not-accepted"
	causeUserinfoOdd   = "userinfo-unreadable"
	causeUserinfoOther = "userinfo-of-another-subject"
	causeDiffer        = "claims-differ"
)

// explanations say to an operator what each cause means, and where there is one,
// the mend.
var explanations = map[string]string{
	causeDown: "the provider was down, as `dilys status` shows; nobody was asked to wait for it",

	causeConsent:        "the patient did not agree to share their details with this service",
	causeDenied:         "the patient gave up at the provider, or the provider refused them",
	causeLogin:          "the provider was told to ask nothing, and would have had to",
	causeSSO:            "the identity asserted by the NHS App was too old or used; the patient was sent to choose again",
	causeUnavailable:    "the provider said that it is temporarily unavailable",
	causeServer:         "the provider said that it broke",
	causeRequest:        "the provider did not accept the request: scopes, vectors or the redirect URI may not be registered there",
	causeUnknownError:   "the provider sent the patient back with an error that is not in its specification",
	causeNoCode:         "the patient came back with neither a code nor an error",
	causeOddCode:        "the patient came back with something that is no authorization code",
	causeCallbackIssuer: "the answer named another provider than the one asked (a mix-up); no code was exchanged",
	causeCallbackNoIss:  "the provider announces that it names itself in its answers, and did not in this one",
	causeChallenge:      "the login was begun at another provider, or the issuer in the configuration changed meanwhile",

	causeTokenEndpoint: "the provider's token endpoint could not be reached, or answered that it can't",
	causeClient:        "the provider does not accept our client key or secret: run `dilys providers test`",
	causeCode:          "the provider did not accept the code: it was used, too old, or another login's",
	causeExchange:      "the provider did not exchange the code, for another reason",
	causeTokenAnswer:   "the token endpoint's answer could not be read",
	causeNoIDToken:     "the token endpoint's answer had no ID token",

	causeKeys:      "the provider's keys could not be fetched for more than a day",
	causeSignature: "the ID token was not signed by one of the provider's keys with a configured algorithm",
	causeKind:      "what came as ID token says in its header that it is another kind of token",
	causeClaims:    "the ID token's claims could not be read",
	causeIssuer:    "the ID token was issued by someone else",
	causeAudience:  "the ID token was for another client, or for others too",
	causeParty:     "the ID token was given to another client",
	causeExpired:   "the ID token was expired; if this happens to everyone, a clock is wrong",
	causeExpiry:    "the ID token had no end, or one more than a day away",
	causeIssued:    "the ID token had no issue time, or one in the future; if this happens to everyone, a clock is wrong",
	causeNotYet:    "the ID token was not valid yet; if this happens to everyone, a clock is wrong",
	causeNonce:     "the ID token was not for this login",
	causeSubject:   "the ID token named no subject, or one longer than a subject may be",
	causeAtHash:    "the access token was not the one that the ID token came with",

	causeActing:     "someone acted for the patient: such logins are refused until acting is supported",
	causeNoVector:   "the provider did not say how the patient was proved (vot)",
	causeVector:     "the provider proved the patient in a way that was not asked for (vot)",
	causeAboveLevel: "the provider claimed more for this login (vot) than the patient holds there (identity_proofing_level)",
	causeNoLevel:    "the provider did not say which level of proof the patient holds; is the scope profile registered?",
	causeOddLevel:   "the provider named a level of proof that does not exist",
	causeNoACR:      "the provider did not say how the patient logged in (acr), and trust_map is set",
	causeACR:        "the patient logged in in a way (acr) that trust_map does not list",

	causeUserinfo:      "the provider's userinfo endpoint could not be reached, or answered that it can't",
	causeUserinfoNo:    "the provider's userinfo endpoint did not accept its own access token",
	causeUserinfoOdd:   "the userinfo answer could not be read",
	causeUserinfoOther: "the userinfo answer spoke of another subject than the ID token",
	causeDiffer:        "ID token and userinfo named different people by birth date, family name, NHS number or level",
}

// Explain says to an operator what a cause means; false if it is none of ours.
func Explain(cause string) (string, bool) {
	text, known := explanations[cause]
	return text, known
}
