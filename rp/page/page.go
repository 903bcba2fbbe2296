package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"time"
)

// Organisation is who runs the service, as patients read it.
type Organisation struct {
	Name          Words  // required
	Logo          []byte // PNG, JPEG, WebP or SVG; none: the name stands in its place
	LogoAlt       Words  // what the logo says; none: the name
	Help          Help
	Accessibility Accessibility
}

// Help is how patients reach the help desk. What is empty is not shown.
type Help struct {
	Phone string
	Email string
	Hours Words
}

// Accessibility is what the accessibility statement may say was done.
type Accessibility struct {
	Contact  string    // an e-mail address or other words; empty: the help page
	TestedOn time.Time // the day of the last test; zero: the statement says that there was none
	Method   Words     // how it was tested and what was found
}

// Options is what all pages have in common.
type Options struct {
	Organisation Organisation
	Languages    []string          // of [English] and [Welsh], the first is the default
	ServiceHost  string            // the true address of this service, shown on the help page: host, and port if any
	Providers    []Provider        // the ways to log in, for the help page
	ButtonLogos  map[string][]byte // by provider id: an image that the operator is licensed to show in its button
}

// Provider is an outside service that patients log in with.
type Provider struct {
	ID   string // as in the configuration
	Name Words
	Kind string // as in the configuration; [KindNHSLogin] has words of its own
}

// KindNHSLogin is the kind of provider whose button and name follow the rules of
// NHS login.
const KindNHSLogin = "nhs-login"

// IsNHSLogin reports whether the words of NHS login apply.
func (p Provider) IsNHSLogin() bool { return p.Kind == KindNHSLogin }

// Frame is what surrounds every page.
type Frame struct {
	Lang        string    // one of Options.Languages; any other is the default
	Path        string    // path and query at which GET shows this page, without code or state; for the language switch
	LoggedIn    bool      // shows the way to the account and out
	SessionEnds time.Time // the overall end of the session; zero: none
	IdleEnds    time.Time // its end if nothing is done; zero: none
	Now         time.Time // the instant of the answer; needed where an end is given
	HideHeader  bool      // inside the NHS App, which has a header of its own
	Exit        bool      // the page can be left at once, for somewhere else
	Notice      Words     // a banner; none: no banner
	Reference   string    // such as DIL-7F3K-Q2; shown on refusals
}

// Content is one page: [Login], [SignUpStart], [Code], [Refusal], [Account] and
// every other struct of this package that has a template.
type Content interface {
	// template names the page's template.
	template() string
	// title is the page's heading, and the first part of its title.
	title(v *voice, s *site) (string, error)
}

// Pages renders pages. It is safe for concurrent use.
type Pages struct {
	site   *site
	voices map[string]*voice
}

// site is what templates may ask of the whole service.
type site struct {
	Options
	assets assets
	logo   string            // name of the logo's file; empty: none
	logos  map[string]string // the same of provider buttons, by provider id
}

// scene is what a template sees.
type scene struct {
	Frame
	Site  *site
	Title string
	Page  Content
	Body  template.HTML // the page itself, inside the frame
}

// New reads texts and templates, and fails on a text that is missing in a
// language, on a language we do not write, and on an image that is none.
func New(o Options) (*Pages, error) {
	s, err := newSite(o)
	if err != nil {
		return nil, err
	}
	words, err := readCatalogues(textFiles)
	if err != nil {
		return nil, err
	}
	zone, err := loadZone()
	if err != nil {
		return nil, err
	}
	p := &Pages{s, map[string]*voice{}}
	for _, lang := range o.Languages {
		if words[lang] == nil || p.voices[lang] != nil {
			return nil, fmt.Errorf("languages: wanted each of %v once at most, got %.16q", spoken, lang)
		}
		if p.voices[lang], err = newVoice(lang, words[lang], zone, s.assets.url); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func newSite(o Options) (*site, error) {
	if o.Organisation.Name.In(English) == "" || len(o.Languages) == 0 || o.ServiceHost == "" {
		return nil, errors.New("pages: wanted the organisation's name, a language and the service's host")
	}
	s := &site{Options: o, assets: shippedAssets(), logos: map[string]string{}}
	var err error
	if s.logo, err = s.assets.addImage(o.Organisation.Logo); err != nil {
		return nil, fmt.Errorf("organisation logo: %w", err)
	}
	for id, image := range o.ButtonLogos {
		if s.logos[id], err = s.assets.addImage(image); err != nil {
			return nil, fmt.Errorf("button logo of %s: %w", id, err)
		}
	}
	s.assets.seal()
	return s, nil
}

// Languages returns the codes of the languages that pages come in, the default
// first.
func (p *Pages) Languages() []string { return slices.Clone(p.site.Languages) }

// OrganisationName returns the organisation's name in that language.
func (p *Pages) OrganisationName(lang string) string { return p.site.Organisation.Name.In(lang) }

// Asset looks up the file behind a path such as /assets/1f2e3d4c/dilys.css.
// immutable says that this path will never mean other bytes, so that a browser may
// keep it for a year; a path from another version of this program is answered
// with our own bytes, for no longer than minutes.
func (p *Pages) Asset(path string) (content []byte, contentType string, immutable, ok bool) {
	return p.site.assets.find(path)
}

// Render puts a page into its frame and returns the whole document, UTF-8. An
// error means a fault in the program, never in the values.
func (p *Pages) Render(f Frame, c Content) ([]byte, error) {
	v, known := p.voices[f.Lang]
	if !known {
		f.Lang = p.site.Languages[0]
		v = p.voices[f.Lang]
	}
	title, err := c.title(v, p.site)
	if err != nil {
		return nil, fmt.Errorf("page %s: %w", c.template(), err)
	}
	s := scene{Frame: f, Site: p.site, Title: title, Page: c}
	var body, whole bytes.Buffer
	if err := v.templates.ExecuteTemplate(&body, c.template(), s); err != nil {
		return nil, fmt.Errorf("page %s: %w", c.template(), err)
	}
	if _, bare := c.(Away); bare {
		return body.Bytes(), nil
	}
	s.Body = template.HTML(body.String()) //nolint:gosec // escaped by its own template
	if err := v.templates.ExecuteTemplate(&whole, "frame", s); err != nil {
		return nil, fmt.Errorf("frame: %w", err)
	}
	return whole.Bytes(), nil
}
