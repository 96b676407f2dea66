// @ts-check
/** The page's entry: defining the outermost element brings it to life. */
import "./parts/visit-page.js";
