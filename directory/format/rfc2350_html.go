package format

import (
	"bufio"
	"fmt"
	"html"
	"strings"
)

// htmlStyle is all that the page brings along for looks.
const htmlStyle = `:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}` +
	`h1,h2,h3,h4{line-height:1.2;margin:1.6em 0 .4em}pre{overflow-x:auto;padding:.6rem;border:1px solid;font-size:.85rem}` +
	`.label{font-weight:700}.none{opacity:.75}nav ul{columns:2 18rem;padding-left:1.2rem}li,p{overflow-wrap:anywhere}`

// writeHTML writes a whole page that needs nothing else: no script, no font, no
// picture. All text is escaped, and of the team's Markdown only marks that make
// plain structure are followed.
func (d *RFC2350Document) writeHTML(out *bufio.Writer) {
	title := html.EscapeString(d.Title)
	fmt.Fprintf(out, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
<header>
<h1>%s</h1>
<p class="label">TLP:%s</p>
</header>
`, title, htmlStyle, title, html.EscapeString(strings.ToUpper(d.Label)))
	d.writeContents(out)
	fmt.Fprint(out, "<main>\n")
	for _, s := range d.Sections {
		d.writeSection(out, s)
	}
	fmt.Fprint(out, "</main>\n</body>\n</html>\n")
}

// writeContents lists the top sections, for readers that jump.
func (d *RFC2350Document) writeContents(out *bufio.Writer) {
	fmt.Fprint(out, "<nav aria-label=\"Contents\">\n<ul>\n")
	for _, s := range d.Sections {
		if s.depth() == 1 {
			fmt.Fprintf(out, "<li><a href=\"#s%s\">%s %s</a></li>\n", s.Number, s.heading(), html.EscapeString(s.Title))
		}
	}
	fmt.Fprint(out, "</ul>\n</nav>\n")
}

func (d *RFC2350Document) writeSection(out *bufio.Writer, s RFC2350Section) {
	fmt.Fprintf(out, "<h%d id=\"s%s\">%s %s</h%d>\n", s.depth()+1, s.Number, s.heading(), html.EscapeString(s.Title), s.depth()+1)
	switch {
	case s.Text == "" && s.parent():
	case s.Text == "":
		fmt.Fprint(out, "<p class=\"none\">None available.</p>\n")
	default:
		// dir=auto: Arabic and Hebrew run their own way, whatever is around them.
		fmt.Fprintf(out, "<div lang=\"%s\" dir=\"auto\">\n", html.EscapeString(s.Language))
		m := proseHTML{out: out, plain: s.Source == "record"}
		m.blocks(strings.Split(s.Text, "\n"))
		fmt.Fprint(out, "</div>\n")
	}
}
