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
	"session-over":         "the session had ended before the button was pressed",
	"logout":               "the patient logged out",
	"ended-by-portal":      "the patient logged out at a service",
	"session-goes-on":      "the same patient had logged in in another tab meanwhile, and that session goes on",
	"none-found":           "an operator's look-up found nothing",

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
	"sealing": "the sealing keys were rotated",
	"signing": "the token signing keys were replaced at once",
}
