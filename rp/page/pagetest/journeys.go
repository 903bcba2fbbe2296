package pagetest

import (
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/dossier"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/rp/page"
)

// frameAt gives the frame of a page at a path.
type frameAt func(path string) page.Frame

const (
	email = "prawf.enghraifft@example.com"
	phone = "07700 900123"
)

func faults(pairs ...string) []page.Fault {
	var all []page.Fault
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, page.Fault{Field: pairs[i], Key: pairs[i+1]})
	}
	return all
}

func step(n int) page.Progress { return page.Progress{Step: n, Of: 9} }

// signUps are the pages of a sign-up in their order, each as it comes first and as
// it comes back with faults.
func signUps(at frameAt) []Sample {
	start := page.SignUpStart{MinimumAge: 16, Portal: portal, RequestID: "example", NHSLogin: "/login/nhs-login?request=example"}
	faulty, noTexts, noEmail := start, start, start
	faulty.Faults, noTexts.NoTexts, noEmail.EmailOff = faults("old_enough", "fault.old-enough"), true, true
	return append([]Sample{
		{"sign-up", at("/sign-up?request=example"), start},
		{"sign-up-faults", at("/sign-up?request=example"), faulty},
		{"sign-up-no-texts", at("/sign-up?request=example"), noTexts},
		{"sign-up-no-emails", at("/sign-up?request=example"), noEmail},
		{"sign-up-nothing-else", at("/sign-up"), page.SignUpStart{Return: "/account"}},
		{"too-young-asks", at("/sign-up/too-young"), page.TooYoung{MinimumAge: 16}},
		{"too-young-faults", at("/sign-up/too-young"), page.TooYoung{
			MinimumAge: 16, BirthDate: page.DateTyped{Day: "31", Month: "2", Year: "2014"}, Faults: faults("bday", "fault.birth-date"),
		}},
		{"too-young", at("/sign-up/too-young"), page.TooYoung{MinimumAge: 16, From: time.Date(2028, 2, 1, 0, 0, 0, 0, time.UTC)}},
		{"sign-up-interrupted", at("/sign-up"), page.Interrupted{Action: "/sign-up/phone"}},
		{"sign-up-interrupted-shared", at("/sign-up"), page.Interrupted{Shared: true}},
		{"sign-up-device", at("/sign-up/device"), page.SignUpDevice{Progress: step(1)}},
		{"sign-up-device-faults", at("/sign-up/device"), page.SignUpDevice{
			Helped: true, HelperEmail: "helper", HelperPhone: "07700", Progress: step(1),
			Faults: faults("device", "fault.device", "helper_email", "fault.email", "helper_phone", "fault.phone"),
		}},
		{"sign-up-email", at("/sign-up/email"), page.SignUpEmail{Back: "/sign-up/device", Progress: step(2)}},
		{"sign-up-email-faults", at("/sign-up/email"), page.SignUpEmail{
			Email: "prawf@", Back: "/sign-up/device", Progress: step(2), Faults: faults("email", "fault.email"),
		}},
		{"sign-up-phone", at("/sign-up/phone"), page.SignUpPhone{Back: "/sign-up/email", Progress: step(3)}},
		{"sign-up-phone-faults", at("/sign-up/phone"), page.SignUpPhone{
			Phone: "029 2018 0000", Back: "/sign-up/email", Progress: step(3), Faults: faults("phone", "fault.phone-not-uk-mobile"),
		}},
		{"sign-up-phone-off", at("/sign-up/phone"), page.SignUpPhone{Off: true, Back: "/sign-up/email", Progress: step(3)}},
	}, signUpDetails(at)...)
}

func signUpDetails(at frameAt) []Sample {
	d := details()
	check := page.CheckAnswers{Details: d, Back: "/sign-up/password", Progress: step(8)}
	bare := check
	bare.NoPhone, bare.NumberUnknown, bare.Postcode = true, true, must(identity.ParsePostcode("CF10 1AA"))
	samples := []Sample{
		{"sign-up-name", at("/sign-up/name"), page.Name{Back: "/sign-up/phone", Progress: step(4)}},
		{"sign-up-name-faults", at("/sign-up/name"), page.Name{
			Family: "Enghraifft", Back: "/sign-up/phone", Progress: step(4), Faults: faults("given_name", "fault.given-name"),
		}},
		{"sign-up-birth-date", at("/sign-up/birth-date"), page.BirthDate{Back: "/sign-up/name", Progress: step(5)}},
		{"sign-up-birth-date-faults", at("/sign-up/birth-date"), page.BirthDate{
			DateTyped: page.DateTyped{Day: "15", Year: "1984"}, Back: "/sign-up/name", Progress: step(5), Faults: faults("bday-month", "fault.birth-date-month"),
		}},
		{"sign-up-number", at("/sign-up/nhs-number"), page.NHSNumber{Back: "/sign-up/birth-date", Progress: step(6)}},
		{"sign-up-number-faults", at("/sign-up/nhs-number"), page.NHSNumber{
			Number: "QQ 12 34 56 C", Back: "/sign-up/birth-date", Progress: step(6), Faults: faults("nhs_number", "fault.nhs-number-national-insurance"),
		}},
		{"sign-up-postcode", at("/sign-up/postcode"), page.Postcode{Back: "/sign-up/nhs-number", Progress: step(6)}},
		{"sign-up-postcode-faults", at("/sign-up/postcode"), page.Postcode{
			Postcode: "CF10", Back: "/sign-up/nhs-number", Progress: step(6), Faults: faults("postcode", "fault.postcode"),
		}},
		{"sign-up-password", at("/sign-up/password"), page.NewPassword{Email: d.Email, Back: "/sign-up/nhs-number", Progress: step(7)}},
		{"sign-up-password-faults", at("/sign-up/password"), page.NewPassword{
			Email: d.Email, Back: "/sign-up/nhs-number", Progress: step(7), Faults: faults("password", "fault.password-common"),
		}},
		{"sign-up-check", at("/sign-up/check"), check},
		{"sign-up-check-bare", at("/sign-up/check"), bare},
	}
	for _, o := range []page.Outcome{page.OutcomeConfirmed, page.OutcomeNotKnown, page.OutcomeNotConfirmed, page.OutcomeRegisterDown} {
		done := page.SignedUp{Outcome: o, NextURL: "/authorize?request=example", Portal: portal, NHSLogin: "/login/nhs-login"}
		if o == page.OutcomeNotConfirmed {
			done.Reference, done.NextURL, done.NHSLogin = "DIL-7F3K-Q2", "", ""
		}
		samples = append(samples, Sample{"signed-up-" + string(o), loggedIn(at("/sign-up/done"), 30*time.Minute), done})
	}
	return samples
}

// stepUps are the pages that ask a patient who is logged in for one proof more.
func stepUps(at frameAt) []Sample {
	in := func(way string) page.Frame { return loggedIn(at("/step-up?request=example"+way), 30*time.Minute) }
	text := page.StepUp{
		Portal: portal, RequestID: "example", Way: page.StepUpPhone, Others: []page.StepUpWay{page.StepUpCard, page.StepUpPassword}, Stale: true,
		Reasons: []identity.Reason{identity.ReasonOwnRegister, identity.ReasonPassword, identity.ReasonBrowser}, Leave: "/authorize?request=example&decline=1",
		Lasts: 10 * time.Minute,
	}
	sent, wrong, app, card, password, provider, none := text, text, text, text, text, text, text
	app.Way, app.Others = page.StepUpApp, []page.StepUpWay{page.StepUpPhone, page.StepUpCard, page.StepUpPassword}
	sent.Sent, wrong.Sent, wrong.Faults = true, true, faults("code", "fault.code-wrong")
	card.Way, card.Others, card.Faults = page.StepUpCard, []page.StepUpWay{page.StepUpPhone}, faults("card_code", "fault.card-code")
	password.Way, password.Others, password.Portal = page.StepUpPassword, nil, nil
	password.RequestID, password.Return, password.Leave = "", "/account/second-way", ""
	provider.Way, provider.Others, provider.Provider = page.StepUpProvider, []page.StepUpWay{page.StepUpPhone}, nhsLogin
	none.Way, none.Others, none.Stale, none.Surer = "", nil, false, "/account/activation"
	return []Sample{
		{"step-up-text", in(""), text},
		{"step-up-text-sent", in(""), sent},
		{"step-up-text-wrong", in(""), wrong},
		{"step-up-app", in(""), app},
		{"step-up-card", in("&way=card"), card},
		{"step-up-password", loggedIn(at("/step-up?return=/account/second-way"), 30*time.Minute), password},
		{"step-up-provider", in(""), provider},
		{"step-up-none", in(""), none},
	}
}

// activities are the pages of what happened on an account.
func activities(at frameAt) []Sample {
	event := func(k audit.Kind, ago time.Duration) page.Event {
		return page.Event{ID: "example", Kind: k, At: Now.Add(-ago), Doubt: true}
	}
	in, shown, staff := event(audit.LoginSucceeded, time.Hour), event(audit.CodeIssued, 50*time.Minute), event(audit.AccountLookedUp, 49*time.Hour)
	in.Provider, shown.Portal, shown.Level, staff.Staff, staff.Doubt = nhsLogin.Name, portal, "P9", true, false
	number := event(audit.ContactChanged, 51*time.Hour)
	number.Phone = true
	frame := loggedIn(at("/account/activity"), 30*time.Minute)
	return []Sample{
		{"activity", frame, page.Activity{More: true, Events: []page.Event{
			shown, in, event(audit.SessionEnded, 26*time.Hour), event(audit.PasswordChanged, 27*time.Hour), staff,
			number, event(audit.ContactChangeAsked, 75*time.Hour),
		}}},
		{"activity-nothing", frame, page.Activity{}},
		{"not-me", loggedIn(at("/account/activity/not-me?event=example"), 30*time.Minute), page.NotMe{Event: in}},
		{"not-me-linked", loggedIn(at("/account/activity/not-me?event=example"), 30*time.Minute), page.NotMe{Event: page.Event{ID: "e", Kind: audit.ProviderLinked, At: Now.Add(-time.Hour), Provider: nhsLogin.Name}}},
		{"not-me-done", at("/account/activity"), page.NotMe{Done: true, Reference: "DIL-7F3K-Q2", Own: true}},
		{"let-in", at("/login/email/let-in"), page.LetIn{Action: "/login/email/let-in", Back: "/login/email/lost-phone"}},
		{"let-in-faults", at("/recover/let-in"), page.LetIn{Action: "/recover/let-in", Back: "/recover/help", Reference: "DIL-7F3K-Q2", Faults: faults("recovery_code", "fault.recovery-code")}},
		{"regained", loggedIn(at("/account/regained"), 30*time.Minute), page.Regained{
			Opens: Now.Add(72 * time.Hour), SetUp: true, PhoneURL: "/account/phone", AppURL: "/account/authenticator", CardURL: "/account/second-way", To: "/account",
		}},
		{"regained-wait", loggedIn(at("/account/regained"), 30*time.Minute), page.Regained{Opens: Now.Add(48 * time.Hour)}},
		{"paused", loggedIn(at("/account/regained"), 30*time.Minute), page.Paused{Opens: Now.Add(20 * time.Hour)}},
		{"linkage", loggedIn(at("/account/linkage"), 30*time.Minute), page.Linkage{}},
		{"linkage-faults", loggedIn(at("/account/linkage"), 30*time.Minute), page.Linkage{
			AskNumber: true, Number: "999 12", Faults: faults("nhs_number", "fault.nhs-number-too-short", "gp_account_id", "fault.gp-account-id", "gp_linkage_key", "fault.gp-linkage-key"),
		}},
		{"linkage-refused", loggedIn(at("/account/linkage"), 30*time.Minute), page.Linkage{Reference: "DIL-7F3K-Q2", Faults: faults("gp_linkage_key", "fault.linkage")}},
		{"leave", loggedIn(at("/account/delete"), 30*time.Minute), page.Leave{}},
		{"leave-faults", loggedIn(at("/account/delete"), 30*time.Minute), page.Leave{Faults: faults("why", "fault.why")}},
		{"leave-done", at("/account/delete"), page.Leave{Done: true, Closes: Now.Add(14 * 24 * time.Hour)}},
		{"export", loggedIn(at("/account/export"), 30*time.Minute), exported(in, shown, staff, number)},
		{"account-closing", loggedIn(at("/account"), 30*time.Minute), page.Account{
			Sources: []page.Source{{Provider: nhsLogin.Name, Details: details(), Proved: true}}, Closes: Now.Add(9 * 24 * time.Hour), ExportURL: "/account/export", LeaveURL: "/account/delete", ActivityURL: "/account/activity",
		}},
		{"not-me-done-provider", at("/account/activity"), page.NotMe{Done: true, Reference: "DIL-7F3K-Q2"}},
	}
}

// exported is what is kept of a patient who came by a provider, and signed up here too.
func exported(events ...page.Event) page.Export {
	kept := page.Kept{Details: details(), Level: identity.P9, From: nhsLogin.Name, First: Now.Add(-1000 * time.Hour), Last: Now.Add(-time.Hour)}
	own := kept
	own.Level, own.From = identity.P5, nil
	return page.Export{
		Made: Now, JSON: "/account/export/file", Held: []page.Kept{kept, own}, Events: events,
		Factors:  []dossier.Factor{{Kind: string(factor.KindPhone), Bound: Now.Add(-900 * time.Hour)}, {Kind: string(factor.KindTOTP), Bound: Now.Add(-90 * time.Hour)}, {Kind: string(factor.KindCard), Bound: Now.Add(-90 * time.Hour)}},
		Browsers: []dossier.Browser{{Device: "Firefox, Windows", Seen: Now.Add(-time.Hour)}, {Seen: Now.Add(-99 * time.Hour)}},
		Places:   []dossier.Session{{Device: "Firefox, Windows", Created: Now.Add(-time.Hour)}},
		Changes:  []dossier.Change{{Address: "newydd@example.com", Opens: Now.Add(20 * time.Hour)}},
	}
}

// codes are the pages that ask for a code, and those of the printed card.
func codes(at frameAt) []Sample {
	login := page.Code{
		Purpose: page.CodeLogin, Remember: true, Lasts: 10 * time.Minute, LostPhoneURL: "/login/email/lost-phone",
		Others: []page.OtherWay{{Way: page.ByApp, URL: "/login/email/app"}, {Way: page.ByCard, URL: "/login/email/card"}},
	}
	sent, off, none, locked := login, login, login, login
	sent.Sent, off.Off, none.Off, none.Others = true, true, true, nil
	locked.Faults = []page.Fault{{Field: "code", Key: page.FaultWait, Until: Now.Add(time.Minute)}}
	samples := []Sample{
		{"code-sign-up-email", at("/sign-up/email-code"), page.Code{
			Purpose: page.CodeSignUpEmail, To: email, Lasts: 30 * time.Minute, ChangeURL: "/sign-up/email", Back: "/sign-up/email", Progress: step(2),
		}},
		{"code-sign-up-phone", at("/sign-up/phone-code"), page.Code{
			Purpose: page.CodeSignUpPhone, To: phone, Lasts: 10 * time.Minute, ChangeURL: "/sign-up/phone", Back: "/sign-up/phone", Progress: step(3),
		}},
		{"code-login", at("/login/email/code"), login},
		{"code-login-sent", at("/login/email/code"), sent},
		{"code-login-texts-off", at("/login/email/code"), off},
		{"code-login-texts-off-alone", at("/login/email/code"), none},
		{"code-login-email", at("/login/email/code"), page.Code{Purpose: page.CodeLoginEmail, Lasts: 10 * time.Minute}},
		{"code-login-emails-off", at("/login/email/code"), page.Code{Purpose: page.CodeLoginEmail, Off: true}},
		{"code-login-too-soon", at("/login/email/code"), locked},
		{"code-recover", at("/recover/factor"), page.Code{
			Purpose: page.CodeRecover, Others: []page.OtherWay{{Way: page.ByCard, URL: "/recover/factor?way=card"}}, LostPhoneURL: "/recover/help",
		}},
		{"code-change-email", at("/account/email-code"), page.Code{Purpose: page.CodeChangeEmail, To: email, Back: "/account/email"}},
		{"code-change-phone", at("/account/phone-code"), page.Code{Purpose: page.CodeChangePhone, To: phone, Back: "/account/phone"}},
		{"card-code", at("/login/email/card"), page.CardCode{
			LogsIn: true, Others: []page.OtherWay{{Way: page.ByPhone, URL: "/login/email/code"}}, LostURL: "/login/email/lost-phone", Back: "/login/email/code",
		}},
		{"card-code-faults", at("/login/email/card"), page.CardCode{LostURL: "/recover/help", Faults: faults("card_code", "fault.card-code")}},
		{"app-code", at("/login/email/app"), page.AppCode{
			LogsIn: true, Remember: true, LostURL: "/login/email/lost-phone",
			Others: []page.OtherWay{{Way: page.ByPhone, URL: "/login/email/code", Send: true}, {Way: page.ByCard, URL: "/login/email/card"}},
		}},
		{"app-code-faults", at("/recover/factor?way=totp"), page.AppCode{LostURL: "/recover/help", Faults: faults("code", "fault.app-code")}},
		{"lost-phone", at("/login/email/lost-phone"), page.LostPhone{CardURL: "/login/email/card", Texts: true, LetInURL: "/login/email/let-in", Back: "/login/email/code"}},
		{"lost-phone-app", at("/login/email/lost-phone"), page.LostPhone{Back: "/login/email/app"}},
		{"card-ask", loggedIn(at("/account/second-way"), 30*time.Minute), page.CardAsk{Phone: true, To: "/account", Progress: step(9)}},
		{"card-ask-no-phone", loggedIn(at("/account/second-way"), 30*time.Minute), page.CardAsk{To: "/account", Progress: step(9)}},
		{"card-ask-again", loggedIn(at("/account/second-way"), 30*time.Minute), page.CardAsk{Phone: true, Left: 4}},
		{"card", loggedIn(at("/account/second-way"), 30*time.Minute), page.Card{Codes: cardCodes, To: "/sign-up/done"}},
		{"card-large", loggedIn(at("/account/second-way"), 30*time.Minute), page.Card{Codes: cardCodes, Large: true}},
	}
	for _, key := range []string{"code-empty", "code-malformed", "code-wrong", "code-expired", "code-spent", "code-none"} {
		wrong := login
		wrong.Faults = faults("code", "fault."+key)
		samples = append(samples, Sample{"code-login-faults-" + key, at("/login/email/code"), wrong})
	}
	return samples
}

// cardCodes are made up, and open nothing.
var cardCodes = []string{
	"ACDE-FGHJ-KMNP-QR", "TUVW-XYZ2-3467-9A", "CDEF-GHJK-MNPQ-RT", "UVWX-YZ23-4679-AC", "DEFG-HJKM-NPQR-TU",
	"VWXYZ234679ACD", "EFGH-JKMN-PQRT-UV", "WXYZ-2346-79AC-DE", "FGHJ-KMNP-QRTU-VW", "XYZ2-3467-9ACD-EF",
}

// emails are the pages of a log-in by e-mail.
func emails(at frameAt) []Sample {
	login := page.LoginEmail{Portal: portal, RequestID: "example", SignUpURL: "/sign-up?request=example", Back: "/login?request=example"}
	with := func(change func(*page.LoginEmail)) page.LoginEmail {
		changed := login
		changed.Email = email
		change(&changed)
		return changed
	}
	path := "/login/email?request=example"
	return []Sample{
		{"login-email", at(path), login},
		{"login-email-nobody-waits", at("/login/email"), page.LoginEmail{Return: "/account"}},
		{"login-email-shared", at(path), with(func(l *page.LoginEmail) { l.Shared = true })},
		{"login-email-texts-off", at(path), with(func(l *page.LoginEmail) { l.TextsOff = true })},
		{"login-email-faults", at(path), with(func(l *page.LoginEmail) {
			l.Email, l.Faults = "prawf", faults("email", "fault.email", "password", "fault.password-empty")
		})},
		{"login-email-wrong", at(path), with(func(l *page.LoginEmail) { l.Faults = faults("password", "fault.credentials") })},
		{"login-email-locked", at(path), with(func(l *page.LoginEmail) {
			l.LockedUntil, l.Reference, l.Faults = Now.Add(15*time.Minute), "DIL-7F3K-Q2", faults("password", page.FaultLocked)
		})},
		{"login-email-busy", at(path), with(func(l *page.LoginEmail) { l.Faults = faults("password", "fault.busy") })},
	}
}

// recoveries are the pages of a forgotten password or address.
func recoveries(at frameAt) []Sample {
	return []Sample{
		{"recover", at("/recover"), page.Recover{}},
		{"recover-faults", at("/recover"), page.Recover{Email: "prawf", Faults: faults("email", "fault.email")}},
		{"recover-emails-off", at("/recover"), page.Recover{EmailOff: true}},
		{"recover-sent", at("/recover/sent"), page.RecoverSent{Lasts: time.Hour}},
		{"recover-link", at("/recover/link"), page.RecoverLink{}},
		{"recover-password", at("/recover/password"), page.NewPassword{Purpose: page.PasswordReset, Faults: faults("password", "fault.password-too-short")}},
		{"recover-help", at("/recover/help"), page.RecoverHelp{Back: "/recover/factor"}},
		{"nhs-login-help", at("/recover/nhs-login"), page.NHSLoginHelp{SignUpURL: "/sign-up"}},
		{"recover-done", at("/recover/done"), page.RecoverDone{}},
		{"forgotten-email", at("/recover/email"), page.ForgottenEmail{}},
		{"forgotten-email-faults", at("/recover/email"), page.ForgottenEmail{Phone: "077", Faults: faults("phone", "fault.phone")}},
		{"forgotten-email-texts-off", at("/recover/email"), page.ForgottenEmail{TextsOff: true}},
		{"forgotten-email-sent", at("/recover/email"), page.ForgottenEmailSent{}},
		{"contact-cancel", at("/stop-change"), page.ContactCancel{}},
		{"contact-cancelled", at("/stop-change"), page.ContactCancel{Done: true, Reference: "DIL-7F3K-Q2"}},
		{"contact-cancel-gone", at("/stop-change"), page.ContactCancel{Gone: true, Reference: "DIL-7F3K-Q2"}},
	}
}

// passkeys are the pages of passkeys.
func passkeys(at frameAt) []Sample {
	in := func(path string) page.Frame { return loggedIn(at(path), 30*time.Minute) }
	ask := &page.PasskeyAsk{Options: `{"challenge":"AAAA","rpId":"example.com"}`, Action: "/login/passkey"}
	makes := &page.PasskeyAsk{Options: `{"rp":{"id":"example.com"},"challenge":"AAAA"}`, Makes: true, Action: "/account/passkeys"}
	keys := []page.Passkey{
		{ID: "1", AAGUID: "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", Made: Now.Add(-90 * 24 * time.Hour), Used: Now.Add(-time.Hour), BackedUp: true},
		{ID: "2", Name: "Ffôn Siân", Made: Now.Add(-9 * 24 * time.Hour)},
		{ID: "3", Made: Now.Add(-9 * 24 * time.Hour), Used: Now.Add(-70 * time.Hour), Off: true},
	}
	samples := []Sample{
		{"login-passkey", at("/login"), page.Login{Providers: []page.ProviderButton{{Provider: nhsLogin}}, EmailURL: "/login/email", SignUpURL: "/sign-up", Passkey: ask}},
		{"login-email-passkey", at("/login/email"), page.LoginEmail{Passkey: ask}},
		{"passkeys", in("/account/passkeys"), page.Passkeys{Keys: keys, Make: makes}},
		{"passkeys-none", in("/account/passkeys"), page.Passkeys{StepUpURL: "/step-up?return=%2Faccount%2Fpasskeys"}},
		{"passkeys-added", in("/account/passkeys"), page.Passkeys{Keys: keys[:1], Make: makes, Saved: page.PasskeyAdded}},
		{"passkeys-faults", in("/account/passkeys"), page.Passkeys{Keys: keys[1:2], Full: true, Saved: page.PasskeyRenamed, Faults: faults("name-2", "fault.passkey-name")}},
		{"passkeys-refused", in("/account/passkeys"), page.Passkeys{Make: makes, Reference: "DIL-7F3K-Q2"}},
		{"passkeys-shared", in("/account/passkeys"), page.Passkeys{Shared: true, Saved: page.PasskeyGone}},
		{"passkeys-closed", in("/account/passkeys"), page.Passkeys{Closed: true}},
		{"passkey-offer", in("/account/passkeys/offer"), page.PasskeyOffer{Make: makes, To: "/account"}},
		{"passkey-remove", in("/account/passkeys/2/remove"), page.PasskeyRemove{Passkey: keys[1]}},
		{"passkey-remove-last", in("/account/passkeys/2/remove"), page.PasskeyRemove{Passkey: keys[0], Last: true}},
		{"reprove", at("/login"), page.Reprove{Provider: nhsLogin, URL: "/login/nhs-login"}},
		{"step-up-passkey", in("/step-up"), page.StepUp{Portal: portal, RequestID: "example", Way: page.StepUpPasskey, Passkey: ask, Others: []page.StepUpWay{page.StepUpPhone}, Stale: true, Reasons: []identity.Reason{identity.ReasonPassword}}},
	}
	for _, why := range []page.PasskeyFault{page.PasskeyUnknown, page.PasskeyLate, page.PasskeyIsOff, page.PasskeyRefused} {
		samples = append(samples, Sample{"passkey-failed-" + string(why), at("/login"), page.PasskeyFailed{Why: why, Again: "/login", Reference: "DIL-7F3K-Q2"}})
	}
	return samples
}

// quieted are the pages for a patient whose messages or screen somebody else may see.
func quieted(at frameAt) []Sample {
	frame := loggedIn(at("/account/quiet"), 30*time.Minute)
	exits := frame
	exits.Exit = true
	return []Sample{
		{"quiet", frame, page.Quiet{}},
		{"quiet-on", exits, page.Quiet{On: true, Saved: true}},
		{"quiet-off", frame, page.Quiet{Saved: true}},
	}
}

// linking are the pages of the ways to log in to an account.
func linking(at frameAt) []Sample {
	in := func(path string) page.Frame { return loggedIn(at(path), 30*time.Minute) }
	linked := page.Linked{Provider: nhsLogin, Since: Now.Add(-40 * 24 * time.Hour), Used: Now.Add(-65 * time.Minute)}
	last := page.Linked{Provider: nhsLogin, Used: Now.Add(-65 * time.Minute), Last: true}
	both := []page.Source{{Provider: nhsLogin.Name, Details: details(), Proved: true}, {Own: true, Details: details()}}
	return []Sample{
		{"links", in("/account/providers"), page.Links{Own: true, Others: []page.Provider{nhsLogin, board}}},
		{"links-merged", in("/account/providers"), page.Links{Own: true, Linked: []page.Linked{linked}, Others: []page.Provider{board}, Merged: true, Merges: true}},
		{"links-new", in("/account/providers"), page.Links{Own: true, Linked: []page.Linked{linked}, Others: []page.Provider{board}, New: nhsLogin.Name}},
		{"links-last", in("/account/providers"), page.Links{Linked: []page.Linked{last}, Others: []page.Provider{board}}},
		{"links-two-step", in("/account/providers"), page.Links{Own: true, Others: []page.Provider{nhsLogin}, TwoStepURL: "/account/two-step"}},
		{"links-frozen", in("/account/providers"), page.Links{Own: true, Others: []page.Provider{nhsLogin}, Frozen: true}},
		{"link-start", in("/account/providers"), page.LinkStart{Provider: nhsLogin, URL: "https://auth.example.org/authorize"}},
		{"unlink", in("/account/providers/nhs-login/remove"), page.Unlink{Provider: nhsLogin}},
		{"unlink-last", in("/account/providers/nhs-login/remove"), page.Unlink{Provider: nhsLogin, Last: true}},
		{"unlink-done", at("/account/providers"), page.Unlink{Provider: nhsLogin, Done: true}},
		{"account-linked", in("/account"), page.Account{
			Sources: both, Trust: identity.Trust{P: identity.P9, C: identity.Cp | identity.Cd}, Provider: nhsLogin, LinksURL: "/account/providers",
			Reasons: []identity.Reason{identity.ReasonProviderP9, identity.ReasonPassword, identity.ReasonText},
			Own:     &page.Own{EmailURL: "/account/email", PhoneURL: "/account/phone", PasswordURL: "/recover", TwoStepURL: "/account/two-step", TwoStep: true},
		}},
	}
}

// twoSteps are the pages of the second step, and of the authenticator app.
func twoSteps(at frameAt) []Sample {
	in := func(path string) page.Frame { return loggedIn(at(path), 30*time.Minute) }
	since := Now.Add(-100 * 24 * time.Hour)
	all := page.TwoStep{
		Ways: []page.ProofWay{page.ByApp, page.ByPhone, page.ByCard}, AppSince: since, PhoneURL: "/account/phone", CardURL: "/account/second-way", CardLeft: 7,
	}
	saved, faulty := all, all
	saved.Ways, saved.Saved = []page.ProofWay{page.ByCard, page.ByApp, page.ByPhone}, true
	faulty.Faults = faults("way", "fault.way")
	set := page.AppSetUp{Seed: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Email: details().Email}
	again, wrong := set, set
	again.Again = true
	wrong.Seed, wrong.Faults = "", faults("code", "fault.app-code")
	return []Sample{
		{"two-step", in("/account/two-step"), all},
		{"two-step-saved", in("/account/two-step"), saved},
		{"two-step-faults", in("/account/two-step"), faulty},
		{"two-step-off", in("/account/two-step"), page.TwoStep{PhoneURL: "/account/phone", CardURL: "/account/second-way"}},
		{"two-step-email", in("/account/two-step"), page.TwoStep{Email: true, CardURL: "/account/second-way"}},
		{"two-step-stopped", in("/account/two-step"), page.TwoStep{
			Ways: []page.ProofWay{page.ByCard}, AppSince: since, AppOff: true, PhoneOff: true, PhoneURL: "/account/phone", CardURL: "/account/second-way", CardLeft: 1,
		}},
		{"app-intro", in("/account/authenticator"), page.AppIntro{}},
		{"app-intro-bound", in("/account/authenticator"), page.AppIntro{Since: since}},
		{"app-intro-off", in("/account/authenticator"), page.AppIntro{Since: since, Off: true}},
		{"app-set-up", in("/account/authenticator"), set},
		{"app-set-up-again", in("/account/authenticator"), again},
		{"app-set-up-faults", in("/account/authenticator"), wrong},
		{"app-done", in("/account/authenticator"), page.AppDone{CardURL: "/account/second-way"}},
		{"app-done-others", in("/account/authenticator"), page.AppDone{}},
		{"app-remove", in("/account/authenticator/remove"), page.AppRemove{}},
		{"app-remove-last", in("/account/authenticator/remove"), page.AppRemove{Last: true, CardURL: "/account/second-way"}},
	}
}

// owners are the pages of an account that was signed up for here.
func owners(at frameAt) []Sample {
	in := func(path string) page.Frame { return loggedIn(at(path), 30*time.Minute) }
	own := page.Account{
		Sources: []page.Source{{Own: true, Details: details()}}, Trust: identity.Trust{P: identity.P5, C: identity.Cp | identity.Cd},
		Reasons: []identity.Reason{"own-p5-contact", identity.ReasonPassword, "texted-code"},
		Sessions: []page.Session{
			{This: true, Device: "Firefox, Windows", Started: Now.Add(-65 * time.Minute), LastSeen: Now},
		},
		NotNumber: "/account/not-my-number", NotRecord: "/account/not-my-record", ActivityURL: "/account/activity", ExportURL: "/account/export", LeaveURL: "/account/delete",
		Own: &page.Own{
			EmailURL: "/account/email", PhoneURL: "/account/phone", PasswordURL: "/account/password", ActivationURL: "/account/activation",
			TwoStepURL: "/account/two-step", TwoStep: true, CardURL: "/account/second-way", CardLeft: 7, CardMade: Now.Add(-100 * 24 * time.Hour),
			Browsers: []page.Browser{
				{ID: "1", This: true, Device: "Firefox, Windows", Seen: Now, Until: Now.Add(30 * 24 * time.Hour)},
				{ID: "2", Seen: Now.Add(-9 * 24 * time.Hour), Until: Now.Add(21 * 24 * time.Hour)},
			},
		},
	}
	return append(ownAccounts(in, own), []Sample{
		{"activation", in("/account/activation"), page.Activation{}},
		{"activation-faults", in("/account/activation"), page.Activation{Reference: "DIL-7F3K-Q2", Faults: faults("activation_code", "fault.handed-expired")}},
		{"contact-email", in("/account/email"), page.ContactChange{Channel: identity.ByEmail}},
		{"contact-phone-faults", in("/account/phone"), page.ContactChange{Channel: identity.BySMS, Typed: "077", Faults: faults("phone", "fault.phone")}},
		{"contact-email-off", in("/account/email"), page.ContactChange{Channel: identity.ByEmail, Off: true}},
		{"contact-phone-off", in("/account/phone"), page.ContactChange{Channel: identity.BySMS, Off: true}},
		{"contact-email-waits", in("/account/email"), page.ContactChange{Channel: identity.ByEmail, Typed: email, Waits: Now.Add(22 * time.Hour), Faults: faults("email", "fault.same-email")}},
		{"contact-phone-recovered", in("/account/phone"), page.ContactChange{Channel: identity.BySMS, Opens: Now.Add(70 * time.Hour), AtOnce: true}},
		{"contact-email-recovered", in("/account/email"), page.ContactChange{Channel: identity.ByEmail, Opens: Now.Add(70 * time.Hour)}},
		{"contact-phone-first", in("/account/phone"), page.ContactChange{Channel: identity.BySMS, First: true}},
		{"contact-held-email", in("/account/email-held"), page.ContactHeld{Channel: identity.ByEmail, New: email, Opens: Now.Add(24 * time.Hour)}},
		{"contact-held-phone", in("/account/phone-held"), page.ContactHeld{Channel: identity.BySMS, New: "+447700900456", Opens: Now.Add(24 * time.Hour)}},
		{"contact-held-first", in("/account/phone-held"), page.ContactHeld{Channel: identity.BySMS, New: "+447700900456", Opens: Now.Add(24 * time.Hour), First: true}},
		{"not-my-number", in("/account/not-my-number"), page.NotMine{}},
		{"not-my-record", in("/account/not-my-record"), page.NotMine{Record: true}},
		{"not-mine-done", in("/account/not-my-record"), page.NotMine{Record: true, Done: true, Reference: "DIL-7F3K-Q2"}},
	}...)
}

// ownAccounts are the account page of patients who signed up here, in its states.
func ownAccounts(in frameAt, own page.Account) []Sample {
	with := func(p identity.Proofing, reasons []identity.Reason, o page.Own) page.Account {
		a := own
		a.Trust.P, a.Reasons, a.Own = p, reasons, &o
		return a
	}
	links := page.Own{
		EmailURL: "/account/email", PhoneURL: "/account/phone", ActivationURL: "/account/activation", TwoStepURL: "/account/two-step", CardURL: "/account/second-way",
	}
	held, frozen, empty := links, links, links
	heldEmail := page.Held{Channel: identity.ByEmail, New: email, Opens: Now.Add(24 * time.Hour), URL: "/account/email-held"}
	heldPhone := page.Held{Channel: identity.BySMS, New: "+447700900456", Opens: Now.Add(20 * time.Hour), URL: "/account/phone-held"}
	held.Held, held.CardDeclined = []page.Held{heldPhone, heldEmail}, Now.Add(-50*time.Hour)
	frozen.Held = []page.Held{heldPhone}
	phoneless := with(identity.P0, []identity.Reason{identity.ReasonOwnP0, identity.ReasonPassword}, links)
	unphoned := details()
	unphoned.Phone = identity.Phone{}
	phoneless.Own.NoPhone, phoneless.Sources = true, []page.Source{{Own: true, Details: unphoned}}
	empty.CardMade, empty.PhoneOff, empty.ActivationURL = Now.Add(-100*24*time.Hour), true, ""
	cut := with(identity.P0, []identity.Reason{identity.ReasonFrozen, identity.ReasonOwnActivation, identity.ReasonPassword}, frozen)
	cut.Frozen, own.Moved = true, true
	return []Sample{
		{"account-own-p5", in("/account"), own},
		{"account-own-no-phone", in("/account"), phoneless},
		{"account-own-p0", in("/account"), with(identity.P0, []identity.Reason{identity.ReasonOwnP0, identity.ReasonPassword, identity.ReasonBrowser}, held)},
		{"account-own-frozen", in("/account"), cut},
		{"account-own-p9", in("/account"), with(identity.P9, []identity.Reason{identity.ReasonOwnDocuments, identity.ReasonPassword, identity.ReasonCard}, empty)},
	}
}
