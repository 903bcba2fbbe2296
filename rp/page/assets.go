package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// dist is filled by `npm ci` in this folder (assets.mjs). Only its .gitignore is
// kept with the source, so that the program also builds without Node.
//
//go:embed all:dist
var distFiles embed.FS

//go:embed static
var staticFiles embed.FS

// assetRoot is the path below which every asset is served.
const assetRoot = "/assets/"

// maxImage is the largest logo taken, in bytes: it is sent to every phone.
const maxImage = 256 << 10

// contentTypes of the files that pages refer to; a file of any other kind is not
// an asset.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".webp": "image/webp",
}

// assets are files by name, and the stamp that all their paths carry. One stamp
// for all lets style and script name each other relatively.
type assets struct {
	files map[string][]byte
	stamp string
	real  bool
}

// RealAssets reports whether the program was built with the style and script of
// nhsuk-frontend. If not, pages wear a small style of their own: fit for tests
// and a first look, not for patients.
func RealAssets() bool { return isReal(distFiles) }

func isReal(dist fs.FS) bool {
	for _, name := range []string{"dist/nhsuk.css", "dist/nhsuk.js"} {
		if info, err := fs.Stat(dist, name); err != nil || info.Size() == 0 {
			return false
		}
	}
	return true
}

func shippedAssets() assets { return newAssets(distFiles, staticFiles) }

// newAssets collects the files below dist and static; without the real style, the
// built-in one takes its name.
func newAssets(dist, static fs.FS) assets {
	a := assets{files: map[string][]byte{}, real: isReal(dist)}
	a.take(static, "static")
	if a.real {
		a.take(dist, "dist")
	} else {
		a.files["nhsuk.css"] = a.files["builtin.css"]
	}
	delete(a.files, "builtin.css")
	return a
}

func (a *assets) take(files fs.FS, root string) {
	// A walk over embedded files cannot fail.
	_ = fs.WalkDir(files, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || contentTypes[path.Ext(name)] == "" {
			return err
		}
		content, err := fs.ReadFile(files, name)
		a.files[strings.TrimPrefix(name, root+"/")] = content
		return err
	})
}

// addImage takes an image under a name made of its content and returns the name,
// or nothing for no image.
func (a *assets) addImage(content []byte) (string, error) {
	if len(content) == 0 {
		return "", nil
	}
	ext := imageKind(content)
	if ext == "" || len(content) > maxImage {
		return "", fmt.Errorf("image: wanted PNG, JPEG, WebP or SVG of at most %d KiB, got %d bytes", maxImage>>10, len(content))
	}
	sum := sha256.Sum256(content)
	name := "logo-" + hex.EncodeToString(sum[:4]) + ext
	a.files[name] = content
	return name, nil
}

// imageKind tells the kind of an image by its first bytes, as a file name ending.
func imageKind(content []byte) string {
	switch {
	case bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")):
		return ".png"
	case bytes.HasPrefix(content, []byte("\xff\xd8\xff")):
		return ".jpg"
	case bytes.HasPrefix(content, []byte("RIFF")) && len(content) > 12 && string(content[8:12]) == "WEBP":
		return ".webp"
	}
	head := bytes.TrimSpace(bytes.TrimPrefix(content[:min(len(content), 1024)], []byte("\ufeff")))
	if bytes.HasPrefix(head, []byte("<")) && bytes.Contains(head, []byte("<svg")) && !bytes.Contains(head, []byte("<html")) {
		return ".svg"
	}
	return ""
}

// seal computes the stamp over all names and bytes.
func (a *assets) seal() {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		fmt.Fprintf(h, "%s\x00%d\x00", name, len(a.files[name]))
		h.Write(a.files[name])
	}
	a.stamp = hex.EncodeToString(h.Sum(nil)[:4])
}

// url returns the path of a file for the templates.
func (a assets) url(name string) string { return assetRoot + a.stamp + "/" + name }

// find looks a path up; see [Pages.Asset]. While replicas change over, a page of
// one asks another for files: a wrong stamp is answered, but not for keeps.
func (a assets) find(p string) (content []byte, contentType string, immutable, ok bool) {
	rest, found := strings.CutPrefix(p, assetRoot)
	stamp, name, cut := strings.Cut(rest, "/")
	content, ok = a.files[name]
	if !found || !cut || !ok {
		return nil, "", false, false
	}
	return content, contentTypes[path.Ext(name)], stamp == a.stamp, true
}
