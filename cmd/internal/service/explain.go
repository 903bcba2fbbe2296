package service

import (
	"path"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/rp/provider"
)

// Explanations are the words in which events are told to operators.
var Explanations = audit.Words{Kind: explainKind, Step: explainStep, Cause: ExplainCause}

// ExplainCause says to an operator what the cause of an event means; false if it is
// none of ours.
func ExplainCause(cause string) (string, bool) {
	if words, known := provider.Explain(cause); known {
		return words, true
	}
	if words, known := causes[cause]; known {
		return words, true
	}
	if words, known := kinds[audit.Kind(cause)]; known {
		return "what was meant: " + words, true
	}
	if _, err := identity.ParseTrust(cause); err == nil {
		return "the level of trust that the service was shown", true
	}
	return explainLimit(cause)
}

// explainLimit explains the rule that was spent. The configuration gives each rule its
// spans, which stand in its name.
func explainLimit(cause string) (string, bool) {
	rule, found := strings.CutPrefix(cause, "limit-")
	if !found {
		return "", false
	}
	family, _, _ := strings.Cut(rule, "-")
	words, known := limits[family]
	return words, known
}

// limits are the families of rules, by the first word of their names.
var limits = map[string]string{
	"address": "as many messages had gone to that address as may, so that none was sent; the page is the same",
	"flow":    "that sign-up or log-in had sent as many messages as one may",
	"block":   "many texts had gone to numbers that differ in their last four digits alone",
	"service": "as many messages had been sent in all as may: the limit send_per_service",
	"lookups": "the register's entry had been tried, or looked at in that browser, too often today",
}

func explainKind(k audit.Kind) (string, bool) {
	words, known := kinds[k]
	return words, known
}

// kinds say what happened.
var kinds = map[audit.Kind]string{
	audit.LoginSucceeded:      "somebody logged in",
	audit.LoginRefused:        "a log-in at a provider was refused when the browser came back",
	audit.SessionRaised:       "a session rose, by one proof more",
	audit.SessionEnded:        "a session ended",
	audit.AccountCreated:      "an account was made",
	audit.LevelRaised:         "the account was proved more surely",
	audit.ProofRefused:        "who the patient is could not be confirmed, at the end of signing up or by the practice's letter; the account stays as it is",
	audit.CodeSent:            "a code or link was due to be sent",
	audit.LinkSpent:           "a mailed link was used",
	audit.PasswordChanged:     "the password was changed",
	audit.DetailsRefreshed:    "details of the account changed",
	audit.AccountDisabled:     "the account was disabled",
	audit.AccountEnabled:      "the account was let in again, or its record given back",
	audit.AccountSignedOut:    "every session of the account was ended",
	audit.AccountLookedUp:     "somebody of the help desk looked for an account",
	audit.AccountAlarmed:      "the patient said that something was not them; everything open was ended",
	audit.AccountRecovered:    "the patient was let back in with a code of the help desk's",
	audit.AccountMerged:       "two accounts of one patient became one",
	audit.RecordFrozen:        "the account speaks for no record until people have looked",
	audit.HostShown:           "a host behind the gateway was told who the patient is, first in that session",
	audit.CodeIssued:          "a service was told who the patient is",
	audit.TokensIssued:        "a service fetched its tokens",
	audit.CodeReused:          "a service used a code twice; what it had is revoked",
	audit.LevelShown:          "a service that was told before who the patient is was told another level",
	audit.RefreshReused:       "a service used a refresh token twice; what it had is revoked",
	audit.GrantRevoked:        "a service gave back what it had",
	audit.AuthorizationDenied: "a service's request ended without a code",
	audit.AccessRefused:       "a page or service said no",
	audit.KeyRotated:          "a key came or went",
	audit.RegisterImported:    "the index of patients was replaced",
	audit.EventsMissed:        "events came in late, from the journal",

	audit.ContactChangeAsked:   "a new address was proved, and waits to take the place of the old one",
	audit.ContactChangeStopped: "a change of address was stopped",
	audit.ContactChangeDropped: "a change of address fell away",
	audit.ContactChanged:       "a new address took the place of the old one",

	audit.CardMade:          "a card of codes was made; the one before is dead",
	audit.CardSpent:         "a code of the printed card was used",
	audit.CardDeclined:      "the patient took the risk of having no second way",
	audit.CardDropped:       "the printed card was ended",
	audit.BrowserRemembered: "a browser is remembered, and asks for no code",
	audit.BrowserForgotten:  "a browser, or all of them, is remembered no more",
	audit.PhoneBound:        "the phone that codes are sent to came or changed",
	audit.PhoneDropped:      "the phone was taken from the account",
	audit.PhoneOff:          "texted codes are off: too many were wrong in a row",
	audit.TOTPBound:         "an authenticator app came or changed",
	audit.TOTPDropped:       "the authenticator app was taken from the account",
	audit.TOTPOff:           "the authenticator app is off: too many codes were wrong in a row",
	audit.FactorChosen:      "the patient chose what is asked for first",
	audit.FactorRaised:      "what opened the session carries its level from now on",
	audit.QuietOn:           "the patient wants no messages but those that they ask for",
	audit.QuietOff:          "the patient wants messages again",
	audit.PasskeyBound:      "a passkey was made",
	audit.PasskeyDropped:    "a passkey was taken from the account",
	audit.PasskeyOff:        "a passkey is off: its signature counter went back, so that there are two of it",
	audit.ProviderLinked:    "a provider's login became a way into the account",
	audit.ProviderUnlinked:  "a provider's login was taken from the account, and what was open was ended",
	audit.ActivationIssued:  "a code on paper was made for a patient",
	audit.ActivationRevoked: "a code on paper was ended unused",
	audit.ActivationSpent:   "a patient used a code on paper",
	audit.ProofRecorded:     "two people saw a person's documents, and a code on paper was made",
	audit.RecoveryIssued:    "two people made a code that lets a patient back in",
	audit.RecoverySpent:     "the patient used the code that lets them back in",
	audit.CloseAsked:        "the patient asked for the account to be deleted in 14 days; the cause is the reason that they chose",
	audit.CloseStopped:      "the patient kept the account that was to be deleted",
	audit.AccountClosed:     "the account was closed for good, and what was kept of its patient erased",
	audit.AccountExported:   "everything that is kept of the patient was shown to them, or printed by staff",
	audit.ApprovalAsked:     "somebody asked for a second person's agreement",
	audit.ApprovalConfirmed: "the second person agreed, and it was done",
	audit.ApprovalRefused:   "the second person did not agree, or the first withdrew",
}

// explainStep says where on the front door that is: the page, or the nearest one above
// it that has a name.
func explainStep(step string) (string, bool) {
	_, route, _ := strings.Cut(step, " ")
	for strings.HasPrefix(route, "/") {
		if words, known := steps[route]; known {
			return words, true
		}
		route = path.Dir(route) // which ends at "/", and that has words
	}
	return "", false
}

// steps are the pages and doors by route.
var steps = map[string]string{
	"/": "one of the front door's pages",

	"/login":                     "choosing how to log in",
	"/login/{provider}":          "logging in at a provider, on the way there",
	"/login/{provider}/callback": "logging in at a provider, on the way back",
	"/login/email":               "logging in, address and password",
	"/login/email/code":          "logging in, the code that was sent",
	"/login/email/app":           "logging in, the authenticator app",
	"/login/email/card":          "logging in, the printed card",
	"/login/email/lost-phone":    "logging in, what helps without the phone",
	"/login/email/let-in":        "logging in, a code of the help desk's",

	"/sign-up":            "signing up, the beginning",
	"/sign-up/too-young":  "signing up, too young",
	"/sign-up/device":     "signing up, whose device it is",
	"/sign-up/email":      "signing up, the e-mail address",
	"/sign-up/email-code": "signing up, the code by e-mail",
	"/sign-up/phone":      "signing up, the phone",
	"/sign-up/phone-code": "signing up, the texted code",
	"/sign-up/name":       "signing up, the name",
	"/sign-up/birth-date": "signing up, the birth date",
	"/sign-up/nhs-number": "signing up, the NHS number",
	"/sign-up/postcode":   "signing up, the postcode",
	"/sign-up/password":   "signing up, the password",
	"/sign-up/check":      "signing up, the answers are sent",
	"/sign-up/second-way": "signing up, the printed card",
	"/sign-up/done":       "signing up, the end",

	"/recover":          "a forgotten password, the address",
	"/recover/{token}":  "a forgotten password, the mailed link",
	"/recover/link":     "a forgotten password, the mailed link",
	"/recover/factor":   "a forgotten password, the second factor",
	"/recover/password": "a forgotten password, the new one",
	"/recover/let-in":   "a forgotten password, a code of the help desk's",
	"/recover/email":    "a forgotten e-mail address",

	"/step-up": "one proof more, for a service or a change",

	"/account":                      "the account's page",
	"/account/two-step":             "the account, how to log in",
	"/account/authenticator":        "the account, the authenticator app",
	"/account/authenticator/code":   "the account, the first code of an authenticator app",
	"/account/authenticator/remove": "the account, taking the authenticator app away",
	"/account/second-way":           "the account, the printed card",
	"/account/activation":           "the account, a code on paper from staff",
	"/account/linkage":              "the account, the details of the practice's letter",
	"/account/email":                "the account, a new e-mail address",
	"/account/email-code":           "the account, the code of a new e-mail address",
	"/account/email-held":           "the account, a new e-mail address that waits",
	"/account/phone":                "the account, a new phone",
	"/account/phone-code":           "the account, the code of a new phone",
	"/account/phone-held":           "the account, a new phone that waits",
	"/account/not-my-number":        "the account, “this is not my NHS number”",
	"/account/not-my-record":        "the account, “this is not my record”",
	"/account/activity":             "the account, what happened on it",

	"/stop-change":  "stopping a change of address, by the mailed link",
	"/stop/{token}": "stopping a change of address, by the mailed link",

	"/logout":         "logging out",
	"/authorize":      "a service's request",
	"/end-session":    "a service's request to log out",
	"/check":          "a request through the gateway",
	"/session/active": "a service that says its patient is busy",
}
