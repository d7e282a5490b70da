// The rules for the page's JavaScript; `make lint` applies them.

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: [".venv/", "demo/", "build/", "dist/"] },
  js.configs.recommended,
  {
    files: ["bot/findimg_bot/local_slack/web_page/static/*.js"],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ["tests/**/*.js", "eslint.config.js"],
    languageOptions: { globals: globals.node },
  },
  {
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from people must go in as text nodes: use element() of dom.js." },
        { property: "outerHTML", message: "Text from people must go in as text nodes: use element() of dom.js." },
        { property: "insertAdjacentHTML", message: "Text from people must go in as text nodes: use element()." },
      ],
      "no-shadow": "error",
      "no-unused-expressions": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
];
