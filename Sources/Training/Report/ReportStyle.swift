/// The report's style sheet. The colours of lines and cells are those of Okabe and Ito ("Color universal design",
/// 2008), darker or lighter where a background asks for it; text has a contrast of at least 4.5. A table that is
/// wider than its box has a shade on the right, which goes where the table is scrolled to its end.
enum ReportStyle {
    static let sheet: Markup = """
        :root{color-scheme:light dark;--back:#fff;--fore:#1b1d20;--muted:#555b61;--line:#d5d9dd;--box:#f5f6f7;
        --shade:rgba(0,0,0,.25);--train:#0072b2;--test:#b34700;--averaged:#007a5a;--right:0,90,150;--wrong:190,75,0;--strong:#fff}
        @media(prefers-color-scheme:dark){:root{--back:#15181b;--fore:#e7e9eb;--muted:#abb2b9;--line:#3a4047;
        --box:#1e2226;--shade:rgba(255,255,255,.25);--train:#56b4e9;--test:#e69f00;--averaged:#2bc79b;--right:86,180,233;
        --wrong:230,159,0;--strong:#10151a}}
        @media print{:root{color-scheme:light;--back:#fff;--fore:#000;--muted:#444;--line:#bbb;--box:#fff;
        --train:#0072b2;--test:#b34700;--averaged:#007a5a;--right:0,90,150;--wrong:190,75,0;--strong:#fff}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--back);color:var(--fore);
        font:16px/1.45 system-ui,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
        h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
        p{margin:.4rem 0;max-width:60rem}.lead{font-size:1.05rem}.muted,.caption,.tick{color:var(--muted)}
        .note{border-left:4px solid var(--test);padding:.3rem .8rem;background:var(--box)}
        .plots,.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1rem 2rem}
        .facts{align-items:start}
        svg{display:block;width:100%;max-width:40rem;height:auto}svg text{fill:var(--fore);font-size:15px}
        svg .tick{fill:var(--muted);font-size:14px}svg .name{font-weight:600}
        .grid{stroke:var(--line);stroke-width:1}.curve{fill:none;stroke-width:2;stroke-linejoin:round}
        .train .curve{stroke:var(--train)}.test .curve{stroke:var(--test);stroke-dasharray:6 3}
        .averaged .curve{stroke:var(--averaged);stroke-dasharray:2 3}.averaged .mark{fill:var(--averaged)}
        .train .mark{fill:var(--train)}.test .mark{fill:var(--test)}
        .scroll{overflow-x:auto;max-width:100%;border:1px solid var(--line);border-radius:4px}
        table{border-collapse:separate;border-spacing:0;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums;
        overflow-wrap:normal}
        .caption{font-size:.875rem;margin:.8rem 0 .2rem}
        .scroll{margin:.2rem 0 .8rem;background:linear-gradient(to right,var(--back) 50%,transparent) 0 0/3rem 100% local,
        linear-gradient(to left,var(--back) 50%,transparent) 100% 0/3rem 100% local,
        linear-gradient(to left,var(--shade),transparent) 100% 0/.8rem 100% scroll;background-repeat:no-repeat}
        th,td{padding:.25rem .6rem;text-align:right;white-space:nowrap;border-top:1px solid var(--line)}
        thead th,.wide tr:first-child>*{border-top:0}thead th{font-weight:600;vertical-align:bottom;white-space:normal}tbody th{font-weight:400;text-align:left}
        th:first-child,.text{text-align:left}.total th,.total td{font-weight:600;border-top:2px solid var(--line)}
        .scroll tbody th{position:sticky;left:0;background:var(--back)}
        .wide td{white-space:normal;text-align:left;overflow-wrap:anywhere}
        summary{cursor:pointer;padding:.4rem 0}
        .matrix td{text-align:center;border:1px solid var(--back)}
        .matrix thead th{text-align:center;min-width:4.4rem;max-width:8rem;overflow-wrap:break-word;font-weight:400}
        .matrix tbody th{max-width:10rem;white-space:normal}.matrix thead th:first-child{text-align:left}
        .cell{background:rgba(var(--wrong),var(--share))}.hit{background:rgba(var(--right),var(--share))}
        .strong{color:var(--strong)}.zero{color:var(--muted)}
        .grid-of-images{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:1rem;padding:0}
        figure{margin:0}figure img{display:block;width:6rem;height:6rem;object-fit:contain;
        image-rendering:pixelated;background:var(--box);border:1px solid var(--line)}
        .pair{display:flex;gap:.25rem}.pairs{grid-template-columns:repeat(auto-fill,minmax(13rem,1fr))}
        figcaption{font-size:.8125rem;line-height:1.3;margin-top:.3rem}
        footer{margin-top:2rem;border-top:1px solid var(--line);padding-top:.5rem}
        @media(max-width:40rem){.text:not(:first-child){white-space:normal;min-width:12rem}}
        @media print{body{font-size:11pt;max-width:none}.scroll{overflow:visible;border:0;background:none}
        th,td{white-space:normal}h2{break-after:avoid}svg,figure,tr{break-inside:avoid}
        .cell,.hit,.curve,.mark{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
        """
}
