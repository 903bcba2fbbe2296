// Starts the components of nhsuk-frontend, after dilys.js has marked the page.
import { initAll } from "./nhsuk.js";

initAll();
