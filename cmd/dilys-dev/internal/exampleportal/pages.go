package exampleportal

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

const styleSheet = "portal.css"

// frame is what every page shows.
type frame struct {
	Title string
	Name  string // of who is logged in; empty: nobody is
	Ends  string // when that ends
}

type homePage struct {
	Frame frame
	Asks  []ask
}

type learnedPage struct {
	Frame  frame
	Tables []table
}

type faultPage struct {
	fault
	Frame frame
}

type gonePage struct {
	Frame      frame
	Everywhere bool
}

func (p *Portal) frame(r *http.Request, title string) frame {
	s, ok := p.current(r)
	if !ok {
		return frame{Title: title}
	}
	return frame{Title: title, Name: s.name(), Ends: s.ends.UTC().Format("15:04 MST on 2 January 2006")}
}

// name is what to call the patient on a page.
func (s session) name() string {
	if name := text(s.userInfo["name"]); name != "" {
		return name
	}
	return "a patient whose name was not shared"
}

func (p *Portal) home(w http.ResponseWriter, r *http.Request) error {
	return writePage(w, http.StatusOK, "home", homePage{p.frame(r, "Example portal"), asks})
}

func (p *Portal) learned(w http.ResponseWriter, r *http.Request) error {
	s, ok := p.current(r)
	if !ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return writePage(w, http.StatusOK, "learned", learnedPage{p.frame(r, "What this portal learned"), s.tables()})
}

func (p *Portal) gone(w http.ResponseWriter, r *http.Request, title string, everywhere bool) error {
	return writePage(w, http.StatusOK, "gone", gonePage{p.frame(r, title), everywhere})
}

// writePage renders to memory first: a page is whole, or is not sent.
func writePage(w http.ResponseWriter, status int, name string, page any) error {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name+".html", page); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser has gone
	return nil
}

func serveStyle(w http.ResponseWriter, r *http.Request) error {
	css, err := files.ReadFile("pages/" + styleSheet)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, styleSheet, time.Time{}, bytes.NewReader(css))
	return nil
}
