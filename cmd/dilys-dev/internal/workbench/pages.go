package workbench

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

const styleSheet = "workbench.css"

// problem is what was wrong with a form.
type problem struct {
	Field string // its id
	Text  string
}

// jump is one way to turn the clock.
type jump struct{ By, Text string }

var jumps = []jump{
	{"5m", "5 minutes"},
	{"31m", "31 minutes: past the idle limit"},
	{"12h", "12 hours: past the whole session"},
	{"24h", "1 day"},
	{"720h", "30 days"},
	{"8760h", "1 year"},
}

// homePage is everything on the one page.
type homePage struct {
	Title     string
	Problem   *problem
	Addresses []Address
	Patients  string
	Simulator string
	Messages  []message
	Now       string
	Offset    string // empty: real time
	Jumps     []jump
	Presets   []Lie
	Telling   []telling // empty: the simulator is honest
	Away      string    // why the simulator can't be asked; empty: it answers
	Warnings  []string
}

type message struct {
	Message
	When string
}

// telling is a lie in force.
type telling struct{ Whom, What string }

func (b *Workbench) home(w http.ResponseWriter, r *http.Request) {
	b.show(w, r, http.StatusOK, problem{})
}

// show answers with the page, and what was wrong if anything was.
func (b *Workbench) show(w http.ResponseWriter, r *http.Request, status int, wrong problem) {
	page := b.page()
	if wrong.Text != "" {
		page.Problem, page.Title = &wrong, "Error: "+page.Title
	}
	if told, err := b.simulator.ask(r.Context()); err != nil {
		page.Away = err.Error()
	} else {
		page.Presets, page.Telling = told.Presets, told.list()
	}
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, "home.html", page); err != nil {
		http.Error(w, "page could not be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the browser has gone
}

func (b *Workbench) page() homePage {
	page := homePage{
		Title: "Dilys workbench", Addresses: b.opt.Addresses, Patients: b.opt.Patients, Simulator: b.opt.Simulator,
		Now: instant(b.opt.Clock.Now()), Jumps: jumps, Warnings: b.opt.Warnings(),
	}
	if ahead := b.opt.Clock.Offset(); ahead > 0 {
		page.Offset = ahead.String()
	}
	for _, m := range b.opt.Outbox() {
		page.Messages = append(page.Messages, message{m, instant(m.At)})
	}
	slices.Reverse(page.Messages) // the newest is what somebody waits for
	return page
}

func instant(t time.Time) string { return t.UTC().Format("Monday 2 January 2006, 15:04:05 MST") }

// list says who is lied to, and how.
func (l lies) list() []telling {
	var out []telling
	add := func(whom string, raw json.RawMessage) {
		if !nothing(raw) {
			out = append(out, telling{whom, indented(raw)})
		}
	}
	add("Everybody", l.Standing)
	add("The next login", l.Next)
	for _, id := range slices.Sorted(maps.Keys(l.Clients)) {
		add("The client "+id, l.Clients[id])
	}
	return out
}

func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	css, err := files.ReadFile("pages/" + styleSheet)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, styleSheet, time.Time{}, bytes.NewReader(css))
}
