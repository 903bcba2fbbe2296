package page

import (
	"net/url"
	"time"
)

// linksAt is the page of the ways to log in to an account.
const linksAt = accountAt + "/providers"

// Linked is a provider's login that is a way into the account.
type Linked struct {
	Provider
	Since time.Time // when it was linked; zero: with the account
	Used  time.Time // last
	Last  bool      // nothing else opens the account
}

// Links shows the ways to log in to an account, and offers to link more of them.
type Links struct {
	Own        bool       // by e-mail address and password
	Linked     []Linked   // in the order in which they came
	Others     []Provider // that can be linked
	New        Words      // linked just now; none: not said
	Merged     bool       // another account became a part of this one just now
	Merges     bool       // linking may make one of two accounts; it is said to whom it can happen
	TwoStepURL string     // where a second step is added that linking wants; empty: linking is offered
	Frozen     bool       // nothing is linked to an account that speaks for no record
}

func (Links) template() string { return "links" }

func (Links) title(v *voice, _ *site) (string, error) { return v.plain("links.title") }

func (Links) form() form { return form{back: accountAt} }

// linkAt is where a provider is linked (POST).
func linkAt(id string) string { return linksAt + "/" + url.PathEscape(id) }

// LinkURL is where the provider is linked.
func (Links) LinkURL(id string) string { return linkAt(id) }

// UnlinkURL is where it is taken away.
func (l Linked) UnlinkURL() string { return linkAt(l.ID) + "/remove" }

// LinkStart leads to the provider whose login is to be linked. It is a page with a
// link, as [Login.Link] is no form.
type LinkStart struct {
	Provider Provider
	URL      string // at the provider
}

func (LinkStart) template() string { return "link-start" }

func (p LinkStart) title(v *voice, _ *site) (string, error) {
	return v.plain("link-start.title", "provider", p.Provider.Name.In(v.lang))
}

func (LinkStart) form() form { return form{back: linksAt} }

// Unlink asks before a provider's login is taken away, says why it can't be, or that
// it is done.
type Unlink struct {
	Provider Provider
	Last     bool // nothing else opens the account
	Done     bool
}

func (Unlink) template() string { return "unlink" }

func (p Unlink) title(v *voice, _ *site) (string, error) {
	key := "unlink.title"
	if p.Done {
		key = "unlink.done-title"
	}
	return v.plain(key, "provider", p.Provider.Name.In(v.lang))
}

func (p Unlink) form() form {
	if p.Done {
		return form{}
	}
	return form{action: linkAt(p.Provider.ID) + "/remove", back: linksAt}
}
