package exampleportal

import "net/http"

// fault is a refusal as a patient and a portal's team read it.
type fault struct {
	Code   string // the protocol's own word, or one of ours
	Status int
	Title  string
	What   string // what happened
	Advice string // what a portal does about it
	Again  bool   // another try may help
}

// Error is the code: nothing from outside, so it may stand in a log.
func (f *fault) Error() string { return f.Code }

// What this portal itself refuses.
var (
	notFound = &fault{
		Code: "not-found", Status: http.StatusNotFound, Title: "This page is not here",
		What: "The address does not lead to a page of this portal.", Advice: "Offer a way back to a page that exists.",
	}
	tooLate = &fault{
		Code: "late-or-foreign-answer", Status: http.StatusBadRequest, Title: "This login can’t be finished", Again: true,
		What:   "Its answer came too late, came twice, or came to another browser than the one that began it.",
		Advice: "Exchange nothing, log nobody in, and offer to start again. The browser’s back button leads here too, so blame nobody.",
	}
	wrongAnswer = &fault{
		Code: "answer-not-verified", Status: http.StatusBadGateway, Title: "We could not check the answer", Again: true,
		What:   "A token or an answer did not pass verification.",
		Advice: "Log nobody in. Record which check failed, and tell the team that runs Dilys if it happens again.",
	}
	tooLittle = &fault{
		Code: "proof-too-weak", Status: http.StatusForbidden, Title: "This login is not enough", Again: true,
		What:   "The login is real, but weaker or older than what this portal asked for.",
		Advice: "Look at acr and auth_time of every login: what was asked for travelled through the patient’s browser.",
	}
	dilysAway = &fault{
		Code: "dilys-not-answering", Status: http.StatusServiceUnavailable, Title: "Logging in is not working right now", Again: true,
		What:   "Dilys gave no answer that can be used.",
		Advice: "Keep who is logged in until their session ends, show everybody else this page, and try again at the next click.",
	}
	noLogout = &fault{
		Code: "no-end-session-endpoint", Status: http.StatusBadGateway, Title: "You are logged out of this portal only",
		What:   "The provider has no way to log out that a portal could use.",
		Advice: "Say plainly where the patient is still logged in.",
	}
	unexpected = &fault{
		Code: "unexpected", Status: http.StatusInternalServerError, Title: "Something went wrong", Again: true,
		What: "This portal met something that it does not know.", Advice: "Record it, tell the patient nothing technical, and mend it.",
	}
)

// answers are the errors that Dilys sends: to the callback in the patient's
// browser, or as the answer to a code.
var answers = []fault{
	{
		Code: "login_required", Status: http.StatusUnauthorized, Title: "Nobody is logged in", Again: true,
		What:   "There is no login that answers this request, and a page was not allowed.",
		Advice: "End the portal’s own session too, and show a log in button. Do not try prompt=none again in a loop.",
	},
	{
		Code: "interaction_required", Status: http.StatusUnauthorized, Title: "The patient is needed", Again: true,
		What:   "Dilys would have to show a page, and prompt=none forbids it.",
		Advice: "Ask again without prompt=none when the patient next clicks.",
	},
	{
		Code: "unmet_authentication_requirements", Status: http.StatusForbidden, Title: "The level was not reached", Again: true,
		What:   "The patient logged in, but not as strongly as was asked for.",
		Advice: "Show what works at the lower level, and say what the patient could do: prove their identity, or use a passkey. Do not ask again by yourself.",
	},
	{
		Code: "access_denied", Status: http.StatusForbidden, Title: "No access", Again: true,
		What:   "The patient said no or stopped, or may not use this portal: for their age, say.",
		Advice: "Dilys told the patient why. Respect it, show other ways to reach you, and log nobody in.",
	},
	{
		Code: "temporarily_unavailable", Status: http.StatusServiceUnavailable, Title: "Logging in is not working right now", Again: true,
		What:   "Dilys, or the provider behind it, can’t answer now.",
		Advice: "Say so, say that nothing was lost, and let the patient try again later.",
	},
	{
		Code: "server_error", Status: http.StatusBadGateway, Title: "Logging in went wrong", Again: true,
		What:   "Dilys met something that it did not expect.",
		Advice: "Let the patient try again. Tell the team that runs Dilys if it goes on.",
	},
	{
		Code: "invalid_request", Status: http.StatusBadGateway, Title: "This portal asked wrongly",
		What:   "Dilys could not read the request, or a value in it.",
		Advice: "A fault of the portal’s code or configuration: mend it there.",
	},
	{
		Code: "invalid_scope", Status: http.StatusBadGateway, Title: "This portal asked for too much",
		What:   "A scope was asked for that this portal is not allowed.",
		Advice: "Ask for fewer scopes, or have it added where the portal is registered.",
	},
	{
		Code: "unauthorized_client", Status: http.StatusBadGateway, Title: "This portal may not ask like that",
		What:   "The portal is registered, but not for this way to log in.",
		Advice: "Compare the registration with what the portal sends.",
	},
	{
		Code: "unsupported_response_type", Status: http.StatusBadGateway, Title: "This portal asked wrongly",
		What:   "Dilys knows the code flow alone.",
		Advice: "Send response_type=code.",
	},
	{
		Code: "invalid_client", Status: http.StatusBadGateway, Title: "Dilys does not know this portal",
		What:   "The client id or the secret was not right.",
		Advice: "Check both in the portal’s configuration. Never show them.",
	},
	{
		Code: "invalid_grant", Status: http.StatusBadGateway, Title: "This login can’t be finished", Again: true,
		What:   "The code was too old, was used before, or belongs to another login. Where it was used before, Dilys has taken back what it gave.",
		Advice: "Log nobody in, and offer to start again.",
	},
}

// other is an error with a code that this portal has no words for. The code itself
// is not shown: a page never repeats what an address said.
var other = &fault{
	Code: "other-error", Status: http.StatusBadGateway, Title: "Logging in did not work", Again: true,
	What:   "Dilys answered with an error that this portal does not know.",
	Advice: "Treat it as server_error. New codes may come: never fall over one.",
}

// faultOf returns the words for an error code of Dilys.
func faultOf(code string) error {
	for i := range answers {
		if answers[i].Code == code {
			return &answers[i]
		}
	}
	return other
}
