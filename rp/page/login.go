package page

import (
	"net/url"
	"slices"
)

// Login is the page where a patient chooses how to log in. It has no form field,
// only a button for each way: NHS login does not want its button beside any.
type Login struct {
	Providers []ProviderButton // in the order of the configuration; NHS login is shown first wherever it stands
	Portal    Words            // the portal that waits; none: nobody asked
	RequestID string           // the waiting authorization request, carried by every button; may be empty
	Return    string           // or the page of ours that waits, likewise; may be empty
	Shared    bool             // the patient said that the device is not theirs
	EmailURL  string           // where those log in who signed up here; empty: not offered
	SignUpURL string           // where they sign up; empty: not offered
	Passkey   *PasskeyAsk      // by which those log in who have one; nil: nobody has
}

func (l Login) keyed() bool { return l.Passkey != nil }

// ProviderButton is a button that leads to a provider by way of /login/{id}.
type ProviderButton struct {
	Provider
	Down bool // the provider cannot be reached: the button says so, and can still be tried
}

func (Login) template() string { return "login" }

func (l Login) title(v *voice, _ *site) (string, error) {
	if portal := l.Portal.In(v.lang); portal != "" {
		return v.plain("login.title-portal", "portal", portal)
	}
	return v.plain("login.title")
}

// Main returns the buttons that stand first: NHS login, or all where it is not
// offered.
func (l Login) Main() []ProviderButton {
	if first := l.only(true); len(first) > 0 {
		return first
	}
	return l.Providers
}

// Others returns the buttons below [Login.Main].
func (l Login) Others() []ProviderButton {
	if len(l.only(true)) == 0 {
		return nil
	}
	return l.only(false)
}

func (l Login) only(nhsLogin bool) []ProviderButton {
	return slices.DeleteFunc(slices.Clone(l.Providers), func(p ProviderButton) bool { return p.IsNHSLogin() != nhsLogin })
}

// AnotherWay reports whether some provider is not down.
func (l Login) AnotherWay() bool {
	return slices.ContainsFunc(l.Providers, func(p ProviderButton) bool { return !p.Down })
}

// Link returns where a provider's button leads. It is a link and no form:
// Chromium applies form-action to every redirect after a POST, and a provider may
// lead a patient over hosts of its own that nobody can list.
func (l Login) Link(id string) string { return l.carrying("/login/" + url.PathEscape(id)) }

// carrying adds to an address what every way from here must know.
func (l Login) carrying(path string) string {
	q := url.Values{}
	for _, f := range []Field{{"request", l.RequestID}, {"return", l.Return}, {"device", l.device()}} {
		if f.Value != "" {
			q.Set(f.Name, f.Value)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (l Login) device() string {
	if l.Shared {
		return "shared"
	}
	return ""
}

// DeviceURL returns where the patient says whose device it is.
func (l Login) DeviceURL() string {
	l.Shared = !l.Shared
	return l.carrying("/login")
}
