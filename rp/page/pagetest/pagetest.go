// Package pagetest owns made-up content for every page, so that tests can render,
// look at and measure each of them. It is for tests; the service never uses it.
package pagetest

import (
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/page"
)

// Sample is one page with content.
type Sample struct {
	Name    string // of the page and its state; fit for a file name
	Frame   page.Frame
	Content page.Content
}

// Now is the instant at which all samples are set: 21 November 2026 at 3:05pm.
var Now = time.Date(2026, 11, 21, 15, 5, 0, 0, time.UTC)

var (
	nhsLogin = page.Provider{ID: "nhs-login", Kind: page.KindNHSLogin, Name: page.Words{"en": "NHS login"}}
	board    = page.Provider{ID: "board", Kind: "oidc", Name: page.Words{"en": "Example Board", "cy": "Bwrdd Enghreifftiol"}}
	portal   = page.Words{"en": "My Health", "cy": "Fy Iechyd"}
)

// Options returns the options of an example organisation in both languages.
func Options() page.Options {
	return page.Options{
		Organisation: page.Organisation{
			Name: page.Words{"en": "Example Health Board", "cy": "Bwrdd Iechyd Enghreifftiol"},
			Help: page.Help{
				Phone: "07700 900000",
				Email: "help@example.com",
				Hours: page.Words{"en": "Monday to Friday, 9am to 5pm", "cy": "Dydd Llun i ddydd Gwener, 9am i 5pm"},
			},
			Accessibility: page.Accessibility{
				Contact:  "access@example.com",
				TestedOn: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
				Method: page.Words{
					"en": "We checked every page with a keyboard and with a program that looks for faults. It found none.",
					"cy": "Gwnaethom wirio pob tudalen gyda bysellfwrdd a gyda rhaglen sy’n chwilio am feiau. Ni ddaeth o hyd i’r un.",
				},
			},
		},
		Languages:   []string{page.English, page.Welsh},
		ServiceHost: "login.example.com",
		Providers:   []page.Provider{nhsLogin, board},
	}
}

// Samples returns every page in that language, with a state for each thing that a
// patient may meet.
func Samples(lang string) []Sample {
	at := func(path string) page.Frame { return page.Frame{Lang: lang, Path: path, Now: Now} }
	samples := []Sample{
		{"login", at("/login?request=example"), login(false, false)},
		{"login-shared-device", at("/login?request=example"), login(true, false)},
		{"login-provider-down", at("/login?request=example"), login(false, true)},
		{"login-nobody-waits", at("/login"), page.Login{Providers: []page.ProviderButton{{Provider: nhsLogin}}}},
		{"login-no-way", at("/login"), page.Login{}},
		{"login-own-only", at("/login"), page.Login{EmailURL: "/login/email", SignUpURL: "/sign-up"}},
		{"account-p9", loggedIn(at("/account"), 30*time.Minute), account(identity.P9)},
		{"account-p5", loggedIn(at("/account"), 30*time.Minute), account(identity.P5)},
		{"account-p0-nothing-known", loggedIn(at("/account"), 13*time.Hour), page.Account{Sources: []page.Source{{}}, Reasons: []identity.Reason{identity.ReasonNoEvidence}}},
		{"logout", loggedIn(at("/logout"), 30*time.Minute), page.LogoutConfirm{}},
		{"logout-portal", loggedIn(at("/logout"), 30*time.Minute), page.LogoutConfirm{
			Action: "/end-session", Portal: portal, Hidden: []page.Field{{Name: "state", Value: "example"}},
		}},
		{"logged-out", at("/logout"), page.LoggedOut{Provider: nhsLogin.Name}},
		{"logged-out-services", at("/logout"), page.LoggedOut{Services: []page.LeftService{{Name: portal, Told: true}, {Name: page.Words{"en": "My Letters", "cy": "Fy Llythyrau"}, Told: true}}}},
		{"logged-out-some", at("/logout"), page.LoggedOut{Services: []page.LeftService{
			{Name: portal, Told: true}, {Name: page.Words{"en": "My Letters", "cy": "Fy Llythyrau"}}, {Name: page.Words{"en": "My Results", "cy": "Fy Nghanlyniadau"}, Waiting: true},
		}}},
		{"logged-out-portal", at("/logout"), page.LoggedOut{Provider: nhsLogin.Name, Portal: portal, Return: "https://portal.example.com/"}},
		{"help", at("/help"), page.HelpPage{}},
		{"privacy", at("/privacy"), page.Privacy{}},
		{"cookies", at("/cookies"), page.Cookies{List: []page.Cookie{
			{Name: "__Host-dilys", Use: page.SessionCookie},
			{Name: "__Host-dilys-browser", Use: page.BrowserCookie, Lasts: 30 * 24 * time.Hour},
			{Name: "__Host-dilys-lang", Use: page.LanguageCookie, Lasts: 365 * 24 * time.Hour},
			{Name: "__Host-dilys-start", Use: page.StartCookie},
			{Name: "__Host-dilys-gate", Use: page.GateCookie},
		}}},
		{"accessibility", at("/accessibility"), page.AccessibilityStatement{}},
	}
	samples = append(samples, noticed(at("/login")), inApp(at("/login")))
	for _, more := range [][]Sample{signUps(at), codes(at), stepUps(at), activities(at), emails(at), recoveries(at), twoSteps(at), linking(at), quieted(at), passkeys(at), owners(at)} {
		samples = append(samples, more...)
	}
	for _, k := range page.Kinds() {
		samples = append(samples, refused(at("/login"), k))
	}
	return samples
}

func login(shared, down bool) page.Login {
	return page.Login{
		Providers: []page.ProviderButton{{Provider: board}, {Provider: nhsLogin, Down: down}},
		Portal:    portal, RequestID: "example", Shared: shared,
		EmailURL: "/login/email?request=example", SignUpURL: "/sign-up?request=example",
	}
}

func noticed(f page.Frame) Sample {
	f.Notice = page.Words{
		"en": "You cannot log in on Sunday 31 January from 6am to 8am, while we make changes.",
		"cy": "Ni fyddwch yn gallu mewngofnodi ddydd Sul 31 Ionawr rhwng 6am ac 8am, tra byddwn yn gwneud newidiadau.",
	}
	return Sample{"login-notice", f, login(false, false)}
}

func inApp(f page.Frame) Sample {
	f.HideHeader = true
	return Sample{"login-in-app", f, login(false, false)}
}

func refused(f page.Frame, k page.Kind) Sample {
	f.Reference = "DIL-7F3K-Q2"
	r := page.Refusal{Kind: k, Provider: nhsLogin.Name, Portal: portal, StartAgain: "/login", Return: "https://portal.example.com/"}
	switch k {
	case page.UnderAge:
		r.From, r.StartAgain = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), ""
	case page.CodeLimit:
		r.From = Now.Add(40 * time.Minute)
	case page.PortalBadClient, page.PortalBadRedirect:
		r.Portal, r.Return, r.StartAgain = nil, "", ""
	}
	return Sample{"refusal-" + string(k), f, r}
}

func loggedIn(f page.Frame, idle time.Duration) page.Frame {
	f.LoggedIn, f.IdleEnds, f.SessionEnds = true, Now.Add(idle), Now.Add(12*time.Hour)
	return f
}

func account(p identity.Proofing) page.Account {
	trust := identity.Trust{P: p, C: identity.Cp | identity.Cd}
	judged := identity.Assess(identity.Evidence{Provider: identity.Proof{Provider: nhsLogin.ID, Trust: trust, Level: identity.P9, At: Now}}, Now)
	return page.Account{
		Sources:     []page.Source{{Provider: nhsLogin.Name, Details: details(), Proved: true}},
		LinksURL:    "/account/providers",
		QuietURL:    "/account/quiet",
		PasskeysURL: "/account/passkeys",
		Trust:       judged.Trust,
		Reasons:     judged.Reasons,
		Provider:    nhsLogin,
		SettingsURL: "/account/settings",
		ActivityURL: "/account/activity",
		ExportURL:   "/account/export",
		LeaveURL:    "/account/delete",
		Sessions: []page.Session{
			{This: true, Device: "Firefox, Windows", Started: Now.Add(-65 * time.Minute), LastSeen: Now, Provider: nhsLogin.Name},
			{Device: "", Started: Now.Add(-27 * time.Hour), LastSeen: Now.Add(-15 * time.Hour), Provider: nhsLogin.Name},
		},
	}
}

// details are of nobody: a number of the test range, a telephone number and an
// address set aside for fiction.
func details() identity.Details {
	return identity.Details{
		NHSNumber:  must(identity.ParseNHSNumber("9990000018")),
		GivenName:  must(identity.ParseName("Prawf Siân-Llinos")),
		FamilyName: must(identity.ParseName("Enghraifft-Ddychmygol")),
		BirthDate:  must(identity.ParseBirthDate("1984-03-15")),
		Email:      must(identity.ParseEmail("prawf.enghraifft@example.com")),
		Phone:      must(identity.ParsePhone("07700 900123")),
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("pagetest: %v", err))
	}
	return v
}
