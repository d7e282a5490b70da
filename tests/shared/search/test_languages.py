"""Test that everyday nouns of ten languages find the same images as in English."""

from collections.abc import Iterator

import pytest

from findimg.library.library import Library
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.text.vectors import EMBEDDED, open_words
from tests.benchmarks.made_up import publish_made_up

NOUNS = {
    "de": """
        Hund=dog, Katze=cat, Fahrrad=bicycle, Stuhl=chair, Tisch=table, Sofa=sofa, Bett=bed, Flasche=bottle, Tasse=cup,
        Schuh=shoe, Vogel=bird, Fisch=fish, Pferd=horse, Schaf=sheep, Kuh=cow, Elefant=elephant, Löwe=lion, Tiger=tiger,
        Bär=bear, Affe=monkey, Schlange=snake, Spinne=spider, Schmetterling=butterfly, Zug=train, Bus=bus,
        Flugzeug=airplane, Schiff=ship, Brücke=bridge, Kirche=church, Burg=castle, Uhr=clock, Kamera=camera,
        Telefon=telephone, Gitarre=guitar, Regenschirm=umbrella, Banane=banana, Zitrone=lemon, Apfel=apple,
        Pilz=mushroom, Frosch=frog, Ente=duck, Kaninchen=rabbit, Blume=flower, Haus=house, Lastwagen=truck, Messer=knife
    """,
    "fr": """
        chien=dog, voiture=car, vélo=bicycle, table=table, canapé=sofa, bouteille=bottle, tasse=cup, chaussure=shoe,
        oiseau=bird, poisson=fish, cheval=horse, mouton=sheep, vache=cow, éléphant=elephant, lion=lion, tigre=tiger,
        araignée=spider, train=train, bus=bus, avion=airplane, navire=ship, pont=bridge, église=church, château=castle,
        horloge=clock, appareil photo=camera, téléphone=telephone, piano=piano, guitare=guitar, parapluie=umbrella,
        banane=banana, pomme=apple, champignon=mushroom, montagne=mountain, grenouille=frog, canard=duck, lapin=rabbit,
        fleur=flower, maison=house, camion=truck, couteau=knife
    """,
    "es": """
        perro=dog, gato=cat, coche=car, bicicleta=bicycle, silla=chair, mesa=table, sofá=sofa, cama=bed, botella=bottle,
        taza=cup, zapato=shoe, pájaro=bird, pez=fish, caballo=horse, oveja=sheep, vaca=cow, elefante=elephant,
        león=lion, tigre=tiger, oso=bear, serpiente=snake, araña=spider, mariposa=butterfly, tren=train, autobús=bus,
        avión=airplane, puente=bridge, iglesia=church, castillo=castle, reloj=clock, cámara=camera, teléfono=telephone,
        piano=piano, guitarra=guitar, paraguas=umbrella, plátano=banana, limón=lemon, manzana=apple, champiñón=mushroom,
        montaña=mountain, rana=frog, pato=duck, conejo=rabbit, flor=flower, casa=house, camión=truck, cuchillo=knife
    """,
    "pt": """
        cachorro=dog, gato=cat, carro=car, bicicleta=bicycle, cadeira=chair, mesa=table, sofá=sofa, cama=bed,
        garrafa=bottle, xícara=cup, sapato=shoe, chapéu=hat, pássaro=bird, peixe=fish, cavalo=horse, ovelha=sheep,
        vaca=cow, elefante=elephant, leão=lion, tigre=tiger, urso=bear, macaco=monkey, serpente=snake, aranha=spider,
        borboleta=butterfly, trem=train, ônibus=bus, avião=airplane, navio=ship, ponte=bridge, igreja=church,
        castelo=castle, relógio=clock, câmera=camera, telefone=telephone, piano=piano, guitarra=guitar,
        guarda-chuva=umbrella, banana=banana, limão=lemon, maçã=apple, cogumelo=mushroom, montanha=mountain, rã=frog,
        pato=duck, coelho=rabbit, flor=flower, casa=house, caminhão=truck, faca=knife
    """,
    "nl": """
        hond=dog, kat=cat, fiets=bicycle, stoel=chair, tafel=table, sofa=sofa, bed=bed, fles=bottle, kopje=cup,
        schoen=shoe, vogel=bird, vis=fish, paard=horse, schaap=sheep, koe=cow, olifant=elephant, leeuw=lion,
        tijger=tiger, aap=monkey, vlinder=butterfly, trein=train, bus=bus, vliegtuig=airplane, schip=ship, brug=bridge,
        kerk=church, kasteel=castle, klok=clock, camera=camera, telefoon=telephone, piano=piano, gitaar=guitar,
        paraplu=umbrella, banaan=banana, citroen=lemon, appel=apple, paddenstoel=mushroom, kikker=frog, eend=duck,
        konijn=rabbit, bloem=flower, huis=house, vrachtwagen=truck, mes=knife
    """,
    "ru": """
        собака=dog, кошка=cat, автомобиль=car, велосипед=bicycle, стул=chair, стол=table, диван=sofa, кровать=bed,
        бутылка=bottle, чашка=cup, ботинок=shoe, шляпа=hat, птица=bird, рыба=fish, лошадь=horse, овца=sheep, корова=cow,
        слон=elephant, лев=lion, тигр=tiger, медведь=bear, обезьяна=monkey, змея=snake, паук=spider, бабочка=butterfly,
        поезд=train, автобус=bus, самолёт=airplane, корабль=ship, мост=bridge, церковь=church, замок=castle, часы=clock,
        фотоаппарат=camera, телефон=telephone, пианино=piano, гитара=guitar, зонт=umbrella, банан=banana, лимон=lemon,
        яблоко=apple, гриб=mushroom, гора=mountain, лягушка=frog, утка=duck, кролик=rabbit, цветок=flower, дом=house,
        грузовик=truck, нож=knife
    """,
    "ja": """
        犬=dog, 猫=cat, 車=car, 自転車=bicycle, 椅子=chair, テーブル=table, ソファー=sofa, ベッド=bed,
        瓶=bottle, カップ=cup, 靴=shoe, 帽子=hat, 鳥=bird, 魚=fish, 馬=horse, 羊=sheep, 牛=cow,
        象=elephant, ライオン=lion, 虎=tiger, 熊=bear, 猿=monkey, 蛇=snake, 蜘蛛=spider, 蝶=butterfly,
        列車=train, バス=bus, 飛行機=airplane, 船=ship, 橋=bridge, 教会=church, 城=castle, 時計=clock,
        カメラ=camera, 電話=telephone, ピアノ=piano, ギター=guitar, 傘=umbrella, バナナ=banana, レモン=lemon,
        りんご=apple, きのこ=mushroom, 山=mountain, 蛙=frog, アヒル=duck, 兎=rabbit, 花=flower, 家=house,
        トラック=truck, ナイフ=knife
    """,
    "zh": """
        狗=dog, 猫=cat, 汽车=car, 自行车=bicycle, 椅子=chair, 桌子=table, 沙发=sofa, 床=bed, 瓶子=bottle,
        杯子=cup, 鞋=shoe, 帽子=hat, 鸟=bird, 鱼=fish, 马=horse, 绵羊=sheep, 牛=cow, 大象=elephant,
        狮子=lion, 老虎=tiger, 熊=bear, 猴子=monkey, 蛇=snake, 蜘蛛=spider, 蝴蝶=butterfly, 火车=train,
        公共汽车=bus, 飞机=airplane, 船=ship, 桥=bridge, 教堂=church, 城堡=castle, 钟=clock, 照相机=camera,
        电话=telephone, 钢琴=piano, 吉他=guitar, 雨伞=umbrella, 香蕉=banana, 柠檬=lemon, 苹果=apple,
        蘑菇=mushroom, 山=mountain, 青蛙=frog, 鸭子=duck, 兔子=rabbit, 花=flower, 房子=house, 卡车=truck,
        刀=knife
    """,
    "it": """
        gatto=cat, bicicletta=bicycle, sedia=chair, tavolo=table, divano=sofa, letto=bed, bottiglia=bottle, tazza=cup,
        scarpa=shoe, cappello=hat, uccello=bird, pesce=fish, cavallo=horse, pecora=sheep, mucca=cow, elefante=elephant,
        leone=lion, tigre=tiger, orso=bear, scimmia=monkey, serpente=snake, ragno=spider, farfalla=butterfly,
        treno=train, aeroplano=airplane, nave=ship, ponte=bridge, chiesa=church, castello=castle, orologio=clock,
        fotocamera=camera, telefono=telephone, chitarra=guitar, ombrello=umbrella, banana=banana, limone=lemon,
        mela=apple, montagna=mountain, rana=frog, anatra=duck, coniglio=rabbit, fiore=flower, casa=house, camion=truck,
        coltello=knife
    """,
    "pl": """
        kot=cat, samochód=car, rower=bicycle, krzesło=chair, stół=table, kanapa=sofa, łóżko=bed, butelka=bottle,
        filiżanka=cup, kapelusz=hat, ptak=bird, ryba=fish, koń=horse, owca=sheep, krowa=cow, słoń=elephant, lew=lion,
        tygrys=tiger, niedźwiedź=bear, małpa=monkey, wąż=snake, pająk=spider, motyl=butterfly, pociąg=train,
        samolot=airplane, statek=ship, kościół=church, zamek=castle, zegar=clock, aparat fotograficzny=camera,
        telefon=telephone, gitara=guitar, parasol=umbrella, banan=banana, cytryna=lemon, jabłko=apple, grzyb=mushroom,
        góra=mountain, żaba=frog, kaczka=duck, królik=rabbit, kwiat=flower, dom=house, ciężarówka=truck, nóż=knife
    """,
}
PAIRS = [
    (language, *pair.strip().split("="))
    for language, pairs in NOUNS.items()
    for pair in pairs.replace("\n", " ").split(", ")
]


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Return a searcher of made-up images of all classes."""
    folder = tmp_path_factory.mktemp("languages")
    publish_made_up(str(folder / "library"), folder, 2000)
    # The made-up texts contain foreign words, which only their own language finds.
    searcher = Searcher(Library(str(folder / "library"), folder).open(), open_words(EMBEDDED), text_kinds=())
    yield searcher
    searcher.close()


def hits(searcher: Searcher, text: str) -> list[tuple[str, float]]:
    return [(hit.uri, hit.score) for hit in searcher.find(parse(text), 10).hits]


@pytest.mark.parametrize("language", NOUNS)
def test_foreign_nouns_find_what_english_nouns_find(searcher: Searcher, language: str) -> None:
    pairs = [(word, english) for spoken, word, english in PAIRS if spoken == language]
    assert [word for word, english in pairs if hits(searcher, word) != hits(searcher, english)] == []
    assert sum(bool(hits(searcher, english)) for _, english in pairs) >= 30


@pytest.mark.parametrize(
    ("foreign", "english"),
    [
        ("Hund", "dog"),
        ("HUND", "dog"),
        ("gato", "cat"),
        ("gatos", "cat"),
        ("猫", "cat"),
        ("chien -chat", "dog -cat"),
        ("chat chien", "cat dog"),
        ("perro sofá", "dog sofa"),
        ("perro sofa", "dog sofa"),
        ("猫 ソファ", "cat sofa"),
        ("猫ソファ", "cat sofa"),
        ("犬と猫", "dog cat"),
        ("-猫 犬", "-cat dog"),
        ("Hund und Katze", "dog and cat"),
        ("Hund or Katze", "dog or cat"),
        ("coche de bomberos", "fire engine"),
        ("téléphone", "telephone"),
        ("telefono", "telephone"),
        ("สุนัขแมว", "dog cat"),
    ],
)
def test_foreign_queries_find_what_english_queries_find(searcher: Searcher, foreign: str, english: str) -> None:
    assert hits(searcher, english)
    assert hits(searcher, foreign) == hits(searcher, english)


@pytest.mark.parametrize("word", ["chat", "gift", "hut", "pan", "table", "red", "most", "lit", "cane"])
def test_english_words_keep_their_english_meaning(searcher: Searcher, word: str) -> None:
    assert searcher.lexicon.translation([word]).phrase(word) == word


def test_label_of_a_trained_head_is_not_translated(searcher: Searcher) -> None:
    assert searcher.lexicon.translation(["gato"], {"gato"}).phrase("Gato") == "Gato"
