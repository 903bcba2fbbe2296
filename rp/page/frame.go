package page

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// names says how each language calls itself.
var names = map[string]string{English: "English", Welsh: "Cymraeg"}

// Tongue is a link to this page in another language.
type Tongue struct {
	Lang string // its code
	Name string // what it calls itself
	URL  string
}

// Tongues returns the links to this page in every other language.
func (s scene) Tongues() []Tongue {
	var others []Tongue
	for _, lang := range s.Site.Languages {
		if lang != s.Lang {
			others = append(others, Tongue{lang, names[lang], withQuery(s.Here(), "lang", lang)})
		}
	}
	return others
}

// Here returns the path and query of this page, or the root where the path given
// leads anywhere but to ourselves.
func (s scene) Here() string { return local(s.Path) }

// local returns the path and query of an address on our own host, spelled anew,
// and / for every other: an address that begins with // or /\ is another host's
// to a browser.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, `/\`) {
		return "/"
	}
	out := url.URL{Path: u.Path, RawQuery: u.Query().Encode()}
	return out.String()
}

// withQuery sets one value in the query of a local path.
func withQuery(path, key, value string) string {
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// OrganisationName returns the organisation's name in this language.
func (s scene) OrganisationName() string { return s.Site.Organisation.Name.In(s.Lang) }

// Logo returns the name of the logo's file, or nothing.
func (s scene) Logo() string { return s.Site.logo }

// LogoAlt returns what the logo says.
func (s scene) LogoAlt() string {
	if alt := s.Site.Organisation.LogoAlt.In(s.Lang); alt != "" {
		return alt
	}
	return s.OrganisationName()
}

// ButtonLogo returns the name of the file of a provider's logo, or nothing.
func (s scene) ButtonLogo(id string) string { return s.Site.logos[id] }

// HasNHSLogin reports whether patients can continue with NHS login here.
func (s scene) HasNHSLogin() bool { return slices.ContainsFunc(s.Site.Providers, Provider.IsNHSLogin) }

// Keyed reports whether the page has something to ask of passkeys.
func (s scene) Keyed() bool {
	k, ok := s.Page.(interface{ keyed() bool })
	return ok && k.keyed()
}

// RealAssets reports whether the style of nhsuk-frontend is there.
func (s scene) RealAssets() bool { return s.Site.assets.real }

// Ending is when the session ends, and whether staying can put it off.
type Ending struct {
	At          time.Time
	Final       bool   // the overall limit comes first: nothing puts it off
	Idle        string // RFC 3339, for the script
	Session     string
	ServersTime string // by which a browser with a wrong clock still counts right
}

// Ending returns when the session ends, or nil where the page need not say so.
func (s scene) Ending() *Ending {
	if !s.LoggedIn || s.IdleEnds.IsZero() && s.SessionEnds.IsZero() {
		return nil
	}
	e := &Ending{At: s.IdleEnds, Idle: stamp(s.IdleEnds), Session: stamp(s.SessionEnds), ServersTime: stamp(s.Now)}
	if e.At.IsZero() || !s.SessionEnds.IsZero() && !s.SessionEnds.After(e.At) {
		e.At, e.Final = s.SessionEnds, true
	}
	return e
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
