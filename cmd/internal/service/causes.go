package service

import "github.com/dilys-id/dilys/rp/provider"

// ExplainCause says to an operator what the cause of a refusal means; false if it
// is none of ours.
func ExplainCause(cause string) (string, bool) {
	if words, known := provider.Explain(cause); known {
		return words, true
	}
	words, known := causes[cause]
	return words, known
}

// causes are those of the front door and of the portal side.
var causes = map[string]string{
	// logins
	"account-disabled":     "the account was disabled by an operator, or is closed",
	"under-age":            "the patient is younger than the service admits",
	"other-person":         "the login was somebody else's than the session or the service expected",
	"callback-unknown":     "the browser came back with an answer to nothing we asked: an old link, or cookies that are off",
	"callback-foreign":     "the browser that came back is not the one that began the login, or it came from another provider",
	"callback-late":        "the login took longer than two hours",
	"callback-used":        "the answer had been used before: the back button, or a reload",
	"unknown-provider":     "the address names a provider that is not configured",
	"no-provider-settings": "the provider has no settings page that we could lead to",
	"linkage-refused":      "the details of the practice's letter did not match the register; the fields say which class failed",
	"record-frozen":        "the account speaks for no record until people have looked at it: `accounts show` says why, `accounts enable` or `accounts renumber` ends it",
	"event-unknown":        "the address names an event that is not one of the account's last",
	"patient-alarm":        "the patient said that something on the account was not them: everything open was ended",
	"session-over":         "the session had ended before the button was pressed",
	"logout":               "the patient logged out",
	"ended-by-portal":      "the patient logged out at a service",
	"session-goes-on":      "the same patient had logged in in another tab meanwhile, and that session goes on",
	"none-found":           "an operator's look-up found nothing",

	// sign-up, log-in and recovery without a provider
	"hashing-busy":             "more people logged in at once than passwords can be judged; nothing was judged",
	"login-overtaken":          "the account changed between password and code: a reset, or a log-out everywhere",
	"second-factor-unknown":    "no login in that browser waits for a code: it took longer than 15 minutes, or was done",
	"code-guesses":             "too many codes of the account were wrong today",
	"factor-off":               "a hundred codes in a row were wrong; the factor opens nothing until the patient recovers",
	"link-over":                "a mailed link was old, used, or none of ours",
	"sign-up-closed":           "nobody can sign up here: sign_up.enabled",
	"channel-off":              "e-mails can't be sent now, so that nobody can sign up",
	"sign-up-unknown":          "no sign-up is under way in that browser: it took longer than a day, or cookies are off",
	"address-taken-meanwhile":  "two browsers signed up with one address; the other one has the account",
	"number-proved-by-another": "another account proved that NHS number",
	"not-in-register":          "the register has no entry under the number, or no single one with the details and postcode",
	"details-differ":           "what was typed differs from the register's entry, in the fields named",
	"entry-died":               "the register says that the patient died",
	"entry-moved":              "the register says that the patient is registered elsewhere",
	"entry-invalidated":        "the register no longer knows the number",
	"entry-superseded":         "the number leads to others without an end",
	"entry-protected":          "the entry is protected: nothing may be confirmed online",
	"practice-not-admitted":    "the patient's GP practice is not among sign_up.practices",
	"no-contact-alone":         "the details match, but no contact that was proved stands on this patient's entry alone",
	"no-register":              "no register is configured",
	"register-unavailable":     "the register did not answer",
	"signed-up":                "the patient signed up",
	"signed-up-helped":         "the patient signed up with somebody's help",
	"claim-fell-away":          "a number that was merely claimed was proved by another patient",
	"reset":                    "the patient set a new password by a mailed link and the second factor",
	"reset-link":               "a link to set a new password was asked for",
	"login-reminder":           "a reminder of the address was asked for",

	// requests that nothing of ours sends
	"cross-origin-post": "a form of another site was sent to us",
	"form-unreadable":   "a form was too large or could not be read",
	"query-too-long":    "an address was longer than any of ours",
	"no-such-page":      "there is no such page",
	"method":            "the page does not take that method",

	// faults of ours
	"store-unavailable": "the database could not be reached; nothing was decided or given",
	"unexpected":        "something broke that should not have; the log's line has the error",
	"patient-left":      "the browser went away before the answer was there",
	"panic":             "something broke that should not have; the log's line has the error",

	// services
	"unknown-portal":          "a service that is not configured here sent the patient",
	"client-id-repeated":      "a service's request named itself twice",
	"unknown-redirect-uri":    "a service asked to be answered at an address that is not registered for it",
	"request-unknown":         "the service's request is not known: an old link, or another installation's",
	"request-expired":         "the service's request had waited for longer than four hours",
	"request-answered":        "the service's request had been answered already: the back button, or two tabs",
	"request-id-repeated":     "the address named two waiting requests",
	"too-many-parameters":     "a request had more parameters than any of a service has",
	"parameter-repeated":      "a service's request had a parameter twice",
	"declined":                "the patient went back to the service without logging in",
	"not-logged-in":           "the service asked without a page, and nobody was logged in",
	"login-not-fresh":         "the service wants a fresher login than there was, or the provider did not say when the patient logged in",
	"level-unmet":             "the login reached a lower level of trust than the service asks for",
	"insufficient":            "a request came through the gateway with a session that its rule wants stronger or fresher",
	"level-out-of-reach":      "no login here can reach the level that is asked for",
	"login-needed":            "a request came through the gateway without a session",
	"code-used-twice":         "a service used a code twice; what it got the first time was revoked",
	"host-without-rules":      "the gateway asked about a host that has no rules",
	"path-without-rule":       "the gateway asked about a path or method that no rule covers, or that can't be read",
	"acr-values-too-long":     "a service's acr_values is too long",
	"bad-id-token-hint":       "a service's id_token_hint is not an ID token of ours",
	"bad-max-age":             "a service's max_age is not a number of seconds",
	"bad-state":               "a service's state is too long or stands there twice",
	"code-challenge":          "a service's code_challenge is not one",
	"code-challenge-method":   "a service's code_challenge_method is not S256",
	"no-code-challenge":       "a service sent no code_challenge, and must",
	"no-response-type":        "a service's request had no response_type",
	"response-type":           "a service asked for something else than a code",
	"response-mode":           "a service asked to be answered in another way than by redirect",
	"nonce-too-long":          "a service's nonce is too long",
	"prompt-none-with-others": "a service's prompt says none and something else",
	"prompt-too-long":         "a service's prompt is too long",
	"prompt-unknown":          "a service's prompt has a word that we don't know",
	"request-object":          "a service sent a request object, which is not supported",
	"request-uri":             "a service sent a request_uri, which is not supported",

	// services' own programs: the log names these
	"no-grant-type":                    "a service's token request had no grant_type",
	"grant-type":                       "a service asked for tokens by another grant than an authorization code",
	"no-code":                          "a service's token request had no code",
	"code-unknown":                     "a service's code is none of ours",
	"code-of-another-portal":           "a service presented a code that another service was given",
	"code-expired":                     "a service's code was older than 60 seconds",
	"code-verifier-wrong":              "a service's code_verifier is not that of its code_challenge",
	"redirect-uri-differs":             "a service's token request names another redirect_uri than its authorization request",
	"client-auth-method":               "a service proved itself in a way that is not supported",
	"two-clients":                      "a service named two clients in one request",
	"form-too-long":                    "a service's form was longer than any of the standard's",
	"token-twice":                      "a service sent its access token in two ways at once",
	"client-not-proved":                "a service did not prove itself",
	"client-secret-wrong":              "a service gave a wrong client secret",
	"no-token":                         "a service's request had no access token",
	"token-refused":                    "a service's access token is not good: expired, revoked, or not for this",
	"unknown-post-logout-redirect-uri": "a service asked to return after the log-out to an address that is not registered for it",
	"forwarded-by-stranger":            "headers of a gateway came from an address that is not in trusted_proxies",
	"forwarded-twice-or-empty":         "a gateway's headers stood there twice, or empty",
	"forwarded-sets-differ":            "two sets of a gateway's headers spoke of different requests",
	"forwarded-without-path":           "a gateway did not say which path it asks about",

	// operators
	"practice":         "the practice knows the patient",
	"passport":         "a passport was seen",
	"driving-licence":  "a photocard driving licence was seen",
	"residence-permit": "a residence permit with a photo was seen",
	"identity-card":    "a national identity card was seen",
	"pass-card":        "a proof of age card with the PASS hologram was seen",
	"proof-record":     "documents that were seen in person are to be recorded, and a code handed over",
	"sealing":          "the sealing keys were rotated",
	"signing":          "the token signing keys were replaced at once",
}
