package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// size is a window's.
type size struct {
	name          string
	width, height int64
	mobile        bool
}

var (
	phone   = size{"phone", 390, 844, true}
	desktop = size{"desktop", 1280, 900, false}
	narrow  = size{"narrow", 320, 640, true} // the narrowest that pages promise to serve
)

// chromium starts the one browser of a test, which ends with it. Nothing of it
// leaves the machine.
func chromium(t *testing.T) context.Context {
	t.Helper()
	dir, err := os.MkdirTemp(binaries, "chromium")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en-GB"), chromedp.Flag("force-device-scale-factor", "1"), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeBrowser()
		stop()
		_ = os.RemoveAll(dir)
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return browser
}

// tab is a window of a browser that nobody has used before: its own cookies, its
// own storage.
type tab struct {
	t     testing.TB
	ctx   context.Context
	world *world
	axe   string
	size  size
	bare  bool // the page's scripts are turned off

	keyboard bool // nothing else is used

	device webauthn.AuthenticatorID // with passkeys; empty: none

	mu     sync.Mutex
	faults []string // what the console said: scripts that broke, things the CSP kept out
}

func newTab(t *testing.T, browser context.Context, w *world, s size) *tab {
	t.Helper()
	return openTab(t, browser, w, s, chromedp.WithNewBrowserContext())
}

// another returns a second window beside this one, with the same cookies.
func (b *tab) another() *tab {
	b.t.Helper()
	return openTab(b.t, b.ctx, b.world, b.size)
}

func openTab(t testing.TB, beside context.Context, w *world, s size, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, done := chromedp.NewContext(beside, options...)
	b := &tab{t: t, ctx: ctx, world: w, axe: axeScript(t)}
	// The tab lives as long as the context of its first call: one without a limit.
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	b.resize(s)
	t.Cleanup(func() {
		b.checkConsole()
		done()
	})
	return b
}

// checkConsole fails on what the browser complained of since it was last asked.
func (b *tab) checkConsole() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		b.t.Errorf("console: %s", fault)
	}
	b.faults = nil
}

// hear notes what the browser complains of.
func (b *tab) hear(event any) {
	var fault string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// The status of an answer is told as an error too: refusals are meant.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			fault = e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			fault += " " + e.ExceptionDetails.Exception.Description
		}
	}
	if fault == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fault)
}

// within returns a context that ends when patience does.
func (b *tab) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, done := b.within()
	defer done()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\nat %s", err, b.where())
	}
}

// evaluate returns what a JavaScript expression is in a tab's page. It works with
// the page's own scripts turned off, too.
func evaluate[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	ctx, done := b.within()
	defer done()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.t.Fatalf("%v\nat %s", err, b.where())
	}
	return v
}

// where describes the page for a message of failure.
func (b *tab) where() string {
	ctx, done := b.within()
	defer done()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.title + "\n" + document.body.innerText`))
	return text
}

func (b *tab) resize(s size) {
	b.t.Helper()
	options := []chromedp.EmulateViewportOption{chromedp.EmulatePortrait}
	if s.mobile {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(chromedp.EmulateViewport(s.width, s.height, options...))
	b.size = s
}

// speak makes the browser ask for pages in a language.
func (b *tab) speak(lang string) {
	b.t.Helper()
	b.agent("", lang)
}

// agent makes the browser call itself something else.
func (b *tab) agent(name, lang string) {
	b.t.Helper()
	if name == "" {
		name = evaluate[string](b, "navigator.userAgent")
	}
	_, err := chromedp.Call(b.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: name, AcceptLanguage: lang})
	if err != nil {
		b.t.Fatal(err)
	}
}

// scriptsOff turns the scripts of pages off.
func (b *tab) scriptsOff() {
	b.t.Helper()
	b.bare = true
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) open(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// sees waits until the page has that heading, and is whole.
func (b *tab) sees(heading string) {
	b.t.Helper()
	b.awaits(fmt.Sprintf(`document.readyState === "complete" && document.querySelector("h1")?.textContent.trim() === %s`, quote(heading)),
		"the heading "+heading)
}

// awaits waits until an expression is true in the page, whichever page that is by
// then: a navigation under way is no failure.
func (b *tab) awaits(expression, what string) {
	b.t.Helper()
	holds := await(func() bool {
		ctx, done := b.within()
		defer done()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		return err == nil && ok
	})
	if !holds {
		b.t.Fatalf("wanted %s, got\n%s", what, b.where())
	}
}

// clickable are the elements that a patient presses.
const clickable = `[...document.querySelectorAll("a[href], button, summary, label")].find((e) =>
	e.textContent.trim().replace(/\s+/g, " ") === %s && e.getClientRects().length > 0)`

// press clicks what bears that text, in the middle of it and with the mouse, so
// that something that covers it is found out.
func (b *tab) press(text string) {
	b.t.Helper()
	found := fmt.Sprintf(clickable, quote(text))
	b.awaits(found, "something to press that says "+text)
	at := evaluate[[]float64](b, `(() => { const e = `+found+`; e.scrollIntoView({block: "center"});
		const r = e.getClientRects()[0]; const x = r.left + r.width / 2, y = r.top + r.height / 2;
		const top = document.elementFromPoint(x, y);
		return e.contains(top) || top?.contains(e) ? [x, y] : [] })()`)
	if len(at) == 0 {
		b.t.Fatalf("%q is covered by something else\nat %s", text, b.where())
	}
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// key presses a key.
func (b *tab) key(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// tabTo moves the focus forward by the Tab key until it is on what bears that text
// and shows that it has it, or fails when it has gone round.
func (b *tab) tabTo(text string) {
	b.t.Helper()
	const longest = 60
	for range longest {
		b.key(kb.Tab)
		on := evaluate[focus](b, `(() => { const e = document.activeElement, s = getComputedStyle(e);
			const label = e.labels?.[0]?.textContent ?? e.textContent;
			return {text: label.trim().replace(/\s+/g, " "), shown: e.matches(":focus-visible") &&
				(s.outlineStyle !== "none" || s.boxShadow !== "none" || s.textDecorationLine !== "none")} })()`)
		if on.Text != text {
			continue
		}
		if !on.Shown {
			b.t.Errorf("%q does not show that it has the focus", text)
		}
		return
	}
	b.t.Fatalf("the Tab key never came to %q\nat %s", text, b.where())
}

// focus is what has it.
type focus struct {
	Text  string `json:"text"`
	Shown bool   `json:"shown"`
}

// text returns what the page's main part says.
func (b *tab) text() string {
	b.t.Helper()
	return evaluate[string](b, `document.querySelector("main").innerText`)
}

// says fails unless the page's main part has the words.
func (b *tab) says(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Errorf("wanted %q on the page, got\n%s", w, text)
		}
	}
}

// location returns the page's address.
func (b *tab) location() *url.URL {
	b.t.Helper()
	u, err := url.Parse(evaluate[string](b, "location.href"))
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// cookies returns the cookies of Dilys by name. Cookies know no ports, so that
// those of the other programs, on 127.0.0.1, are told apart by host.
func (b *tab) cookies() map[string]*network.Cookie {
	b.t.Helper()
	got, err := chromedp.CallBrowser(b.ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID})
	if err != nil {
		b.t.Fatal(err)
	}
	found := map[string]*network.Cookie{}
	for _, c := range got.Cookies {
		if c.Domain == "localhost" {
			found[c.Name] = c
		}
	}
	return found
}

// judged is a page that a patient has come to: whole, without a fault that axe
// knows, and with nothing beyond its edge.
func (b *tab) judged(heading string) {
	b.t.Helper()
	b.sees(heading)
	if ran := evaluate[bool](b, `document.body.classList.contains("js-enabled")`); ran == b.bare {
		b.t.Errorf("%s: the page's scripts ran: got %v", heading, ran)
	}
	b.checkAccessible(heading)
	b.checkReflow(heading)
}

// standards are the success criteria of WCAG 2.2 AA as axe names them.
const standards = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]`

// violation is a fault that axe found.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// checkAccessible runs axe over the page as it is now. It is a script that waits for
// others, so that it can't run where scripts are turned off.
func (b *tab) checkAccessible(what string) {
	b.t.Helper()
	if b.bare {
		return
	}
	if !evaluate[bool](b, "!!window.axe") {
		evaluate[chromedp.Void](b, b.axe)
	}
	found := evaluate[[]violation](b, `axe.run(document, {runOnly: {type: "tag", values: `+standards+`}, resultTypes: ["violations"]})
		.then((r) => r.violations.map((v) => ({id: v.id, help: v.help, nodes: v.nodes.map((n) => n.html + " " + n.failureSummary)})))`,
		chromedp.EvalAwaitPromise)
	for _, v := range found {
		b.t.Errorf("%s: axe %s: %s\n%s", what, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// checkReflow fails where the page must be moved sideways to be read (WCAG 1.4.10).
func (b *tab) checkReflow(what string) {
	b.t.Helper()
	if over := evaluate[float64](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("%s: is %v pixels wider than the window", what, over)
	}
}

// picture writes the whole page to a file below the folder that SHOTS names, if
// it names one.
func (b *tab) picture(path ...string) {
	b.t.Helper()
	b.shoot(chromedp.FullScreenshot(100), path)
}

// view is picture of what the window shows.
func (b *tab) view(path ...string) {
	b.t.Helper()
	b.shoot(chromedp.CaptureScreenshot(), path)
}

func (b *tab) shoot(how chromedp.Action[[]byte], path []string) {
	b.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	ctx, done := b.within()
	defer done()
	shot, err := chromedp.Run(ctx, how)
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(dir, filepath.Join(path...)) + ".png"
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, small(b.t, shot), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// small packs a picture into the 256 colours that it has most of: pages have few,
// and shades of the edges of letters.
func small(t testing.TB, shot []byte) []byte {
	t.Helper()
	drawn, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	packed := image.NewPaletted(drawn.Bounds(), commonest(drawn))
	known := map[color.Color]uint8{}
	each(drawn.Bounds(), func(x, y int) {
		c := drawn.At(x, y)
		if _, seen := known[c]; !seen {
			known[c] = uint8(packed.Palette.Index(c))
		}
		packed.SetColorIndex(x, y, known[c])
	})
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, packed); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func commonest(drawn image.Image) color.Palette {
	count := map[color.Color]int{}
	each(drawn.Bounds(), func(x, y int) { count[drawn.At(x, y)]++ })
	const most = 256
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	return all[:min(len(all), most)]
}

func each(area image.Rectangle, do func(x, y int)) {
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			do(x, y)
		}
	}
}

var axeOnce sync.Once

var axeSource []byte

// axeScript returns the source of axe-core.
func axeScript(t testing.TB) string {
	t.Helper()
	path := module(t, "axe-core/axe.min.js")
	axeOnce.Do(func() { axeSource, _ = os.ReadFile(path) })
	if !bytes.Contains(axeSource, []byte("axe")) {
		t.Fatalf("%s: wanted axe-core, got %d bytes", path, len(axeSource))
	}
	return string(axeSource)
}

// quote puts words into a JavaScript string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("a string that is not JSON: %v", err))
	}
	return string(b)
}
