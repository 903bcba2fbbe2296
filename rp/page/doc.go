// Package page owns what a patient reads: one struct for each page, the
// templates, the words in English and Welsh, and the style and script that go
// with them. [Pages.Render] puts a page into a buffer, [Pages.Asset] looks up a
// file that a page refers to.
//
// It never writes a response, reads a request, keeps state or knows the time: what
// a page shows is given to it. It decides nothing about a patient either; it only
// says in plain words what others decided.
//
// No page holds an inline style, script or handler, or asks another host for
// anything, so that the strictest Content-Security-Policy can stand. Every page
// works without JavaScript.
package page
